// The conversations: search, tags, titles; import and export of all.
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { when, oneLine, readTags } from '../base/format';
import { chooseFiles } from '../base/files';
import type { Conversation } from '../data/types';
import { addressOf, view } from '../state/address';
import { changeConversation, conversations, current, isLoaded, removeConversation, search } from '../state/conversations';
import { exportAll, importFile } from '../state/transfer';
import { sidebarOpen } from '../state/preferences';
import { running, stop } from '../state/answering';
import { texts } from '../texts';
import { Icon } from './icons';
import { Dialog, IconButton } from './parts';
import { beginChat } from './shortcuts';

function groups(list: Conversation[]): [string, Conversation[]][] {
  const day = new Date().setHours(0, 0, 0, 0);
  const parts: [string, Conversation[]][] = [[texts.nav.today, []], [texts.nav.week, []], [texts.nav.older, []]];
  for (const c of list) parts[c.updated >= day ? 0 : c.updated >= day - 6 * 86_400_000 ? 1 : 2]![1].push(c);
  return parts.filter(([, members]) => members.length > 0);
}

function OptionsDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }): VNode {
  const [title, setTitle] = useState(conversation.title);
  const [tags, setTags] = useState(conversation.tags.join(', '));
  const [sure, setSure] = useState(false);
  const save = (event: Event): void => {
    event.preventDefault();
    const name = oneLine(title);
    const change: Partial<Conversation> = { tags: readTags(tags) };
    if (name && name !== conversation.title) Object.assign(change, { title: name, titleGiven: true });
    void changeConversation(conversation.id, change);
    onClose();
  };
  return (
    <Dialog title={oneLine(conversation.title, 60)} onClose={onClose}>
      <form onSubmit={save}>
        <div class="field"><label for="rename">{texts.nav.renameLabel}</label>
          <input id="rename" type="text" autofocus dir="auto" value={title} maxLength={200} onInput={(e) => setTitle(e.currentTarget.value)} /></div>
        <div class="field"><label for="retag">{texts.nav.tags}</label>
          <input id="retag" type="text" dir="auto" value={tags} maxLength={200} aria-describedby="retag-help" onInput={(e) => setTags(e.currentTarget.value)} />
          <p class="help" id="retag-help">{texts.settings.tagsHelp}</p></div>
        <p class="buttons">
          <button type="submit" class="main-button">{texts.nav.save}</button>
          {!sure && <button type="button" class="plain-button danger" onClick={() => setSure(true)}>{texts.nav.remove}</button>}
        </p>
        {sure && (
          <p class="warning" role="alert">{texts.nav.removeAsk(oneLine(conversation.title, 60))}{' '}
            <button type="button" class="plain-button danger" onClick={() => { stop(conversation.id); void removeConversation(conversation.id); onClose(); }}>{texts.nav.removeYes}</button></p>
        )}
      </form>
    </Dialog>
  );
}

function Entry({ conversation, onOptions }: { conversation: Conversation; onOptions: () => void }): VNode {
  const here = view.value === 'chat' && current.value.id === conversation.id;
  const busy = [...running.value.values()].some((entry) => entry.conversation === conversation.id);
  const title = oneLine(conversation.title);
  return (
    <li class={here ? 'here' : ''}>
      <a href={addressOf(conversation.id)} aria-current={here ? 'page' : undefined} title={`${title} (${when(conversation.updated)})`}
        onClick={() => { if (matchMedia('(max-width: 899px)').matches) sidebarOpen.value = false; }}>
        <span class="entry-title" dir="auto">{title}</span>
        {busy && <span class="busy" aria-hidden="true" />}
        {conversation.tags.length > 0 && <span class="entry-tags">{conversation.tags.map((tag) => <span key={tag} class="tag">{tag}</span>)}</span>}
      </a>
      <IconButton icon="more" label={texts.nav.options} onClick={onOptions} />
    </li>
  );
}

export function Sidebar({ narrow }: { narrow: boolean }): VNode {
  const [words, setWords] = useState('');
  const [found, setFound] = useState<Set<string> | null>(null);
  const [tag, setTag] = useState<string | null>(null);
  const [options, setOptions] = useState<Conversation | null>(null);
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (narrow) box.current?.querySelector('button')?.focus();
  }, [narrow]);
  useEffect(() => {
    if (words.trim() === '') return setFound(null);
    let wanted = true;
    const timer = setTimeout(() => void search(words).then((ids) => { if (wanted) setFound(ids); }), 150);
    return () => { wanted = false; clearTimeout(timer); };
  }, [words]);
  const tags = [...new Set(conversations.value.flatMap((c) => c.tags))].sort();
  const chosen = tag !== null && tags.includes(tag) ? tag : null;
  const list = conversations.value.filter((c) => (!found || found.has(c.id)) && (chosen === null || c.tags.includes(chosen)));
  const bring = async (): Promise<void> => {
    for (const file of await chooseFiles('.json,.md,application/json,text/markdown', true)) await importFile(file);
  };
  return (
    <aside class="sidebar" aria-label={texts.nav.label} ref={box}>
      <div class="sidebar-top">
        <span class="brand"><svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M6 20c3.3 0 3.3-8 6.7-8s3.3 8 6.6 8 3.4-8 6.7-8" /></svg>{texts.name}</span>
        <IconButton icon="menu" label={texts.nav.hide} expanded onClick={() => (sidebarOpen.value = false)} />
      </div>
      <button type="button" class="new-chat" onClick={beginChat}><Icon name="plus" />{texts.nav.newChat}</button>
      <div class="search"><Icon name="search" />
        <input id="search" type="search" aria-label={texts.nav.search} placeholder={texts.nav.search} value={words} onInput={(e) => setWords(e.currentTarget.value)} /></div>
      {tags.length > 0 && (
        <div class="tag-row" role="group" aria-label={texts.nav.tags}>
          <button type="button" class="tag" aria-pressed={chosen === null} onClick={() => setTag(null)}>{texts.nav.allTags}</button>
          {tags.map((name) => <button key={name} type="button" class="tag" aria-pressed={chosen === name} onClick={() => setTag(name)}>{name}</button>)}
        </div>
      )}
      <nav class="entries" aria-label={texts.nav.label}>
        {groups(list).map(([name, members]) => (
          <section key={name}><h2>{name}</h2>
            <ul>{members.map((c) => <Entry key={c.id} conversation={c} onOptions={() => setOptions(c)} />)}</ul></section>
        ))}
        {list.length === 0 && isLoaded.value && <p class="help">{conversations.value.length === 0 ? texts.nav.none : texts.nav.nothing}</p>}
      </nav>
      <div class="sidebar-foot">
        <button type="button" class="plain-button" onClick={() => void bring()}><Icon name="up" />{texts.nav.importing}</button>
        <button type="button" class="plain-button" disabled={conversations.value.length === 0} onClick={() => void exportAll()}><Icon name="save" />{texts.nav.exportAll}</button>
      </div>
      {options && <OptionsDialog conversation={options} onClose={() => setOptions(null)} />}
    </aside>
  );
}
