// The conversation and the writing box.
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { children, current, path } from '../state/conversations';
import { running } from '../state/answering';
import { texts } from '../texts';
import { Answer } from './answer';
import { Composer } from './composer';
import { Empty } from './empty';
import { useFollow } from './follow';
import { IconButton } from './parts';
import { Said } from './said';


export function Chat(): VNode {
  const box = useRef<HTMLDivElement>(null);
  const column = useRef<HTMLDivElement>(null);
  const list = path.value;
  const conversation = current.value;
  const { away, jump } = useFollow(box, column);
  useEffect(jump, [conversation.id]);
  const streams = [...running.value.values()].some((entry) => entry.conversation === conversation.id);
  const last = list.at(-1);
  return (
    <div class="chat">
      <div class="log-frame">
        <div class="log" role="log" aria-label={texts.log.label} aria-busy={streams} tabIndex={0} ref={box}>
          <div class="column" ref={column}>
            {list.length === 0 && <Empty />}
            {list.map((message) => {
              const siblings = children.value.get(message.parent) ?? [];
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
