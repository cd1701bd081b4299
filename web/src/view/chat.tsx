// The conversation and the writing box.
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { childrenOf } from '../data/tree';
import { current, messages, path } from '../state/conversations';
import { running } from '../state/answering';
import { texts } from '../texts';
import { Answer } from './answer';
import { Composer } from './composer';
import { Empty } from './empty';
import { IconButton } from './parts';
import { Said } from './said';


/** Keeps the end in view while the person has not scrolled away from it. */
function useFollow(box: { current: HTMLElement | null }, what: unknown): [boolean, () => void] {
  const [away, setAway] = useState(false);
  const follows = useRef(true);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const onScroll = (): void => {
      follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
      setAway(!follows.current);
    };
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => element.removeEventListener('scroll', onScroll);
  }, [box.current]);
  const jump = (): void => {
    follows.current = true;
    box.current?.scrollTo({ top: box.current.scrollHeight });
  };
  useEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [what]);
  return [away, jump];
}

export function Chat(): VNode {
  const box = useRef<HTMLDivElement>(null);
  const list = path.value;
  const conversation = current.value;
  const [away, jump] = useFollow(box, list);
  useEffect(jump, [conversation.id]);
  const streams = [...running.value.values()].some((entry) => entry.conversation === conversation.id);
  const last = list.at(-1);
  return (
    <div class="chat">
      <div class="log-frame">
        <div class="log" role="log" aria-label={texts.log.label} aria-busy={streams} tabIndex={0} ref={box}>
          <div class="column">
            {list.length === 0 && <Empty />}
            {list.map((message) => {
              const siblings = childrenOf(messages.value, message.parent);
              const place = { index: siblings.findIndex((m) => m.id === message.id), siblings };
              return message.role === 'assistant'
                ? <Answer key={message.id} message={message} place={place} isLast={message === last} />
                : <Said key={message.id} message={message} place={place} />;
            })}
          </div>
        </div>
        {away && list.length > 0 && <IconButton icon="down" label={texts.log.jump} class="jump" onClick={jump} />}
      </div>
      <Composer key={conversation.id} onSay={jump} />
    </div>
  );
}
