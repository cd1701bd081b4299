// The line above: what is open, how full its context is, and the ways to settings and conversations.
import type { VNode } from 'preact';
import { count, oneLine } from '../base/format';
import { current, draft, path } from '../state/conversations';
import { show, view } from '../state/address';
import { panelOpen, sidebarOpen } from '../state/preferences';
import { contextSize, model, models } from '../state/server';
import { texts } from '../texts';
import { beginChat } from './shortcuts';
import { keysShown } from './keys_dialog';
import { Icon } from './icons';
import { IconButton } from './parts';

/** A ring that fills with the tokens of the last answer's prompt and text. */
function ContextGauge(): VNode | null {
  const size = contextSize.value;
  const last = path.value.findLast((m) => m.stats && m.stats.promptTokens > 0)?.stats;
  if (!size || !last) return null;
  const used = last.promptTokens + last.answerTokens;
  const share = Math.min(1, used / size);
  const words = texts.header.context(used, size);
  return (
    <div class={`gauge${share > 0.9 ? ' full' : ''}`} role="meter" aria-label={words} title={words} aria-valuemin={0} aria-valuemax={size} aria-valuenow={used}>
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r="8" />
        <circle cx="10" cy="10" r="8" class="used" pathLength={100} stroke-dasharray={`${Math.max(1, share * 100)} 100`} />
      </svg>
      <span class="gauge-text">{count(used)}<i> / {count(size)}</i></span>
    </div>
  );
}

export function Header(): VNode {
  const conversation = current.value;
  const title = view.value === 'classify' ? texts.classify.title : conversation === draft.value ? texts.nav.newChat : oneLine(conversation.title);
  return (
    <header class="header">
      {!sidebarOpen.value && (
        <>
          <IconButton icon="menu" label={texts.nav.show} expanded={false} onClick={() => (sidebarOpen.value = true)} />
          <IconButton icon="plus" label={texts.nav.newChat} onClick={beginChat} />
        </>
      )}
      <div class="title">
        <h1 dir="auto">{title}</h1>
        {models.value.length > 0 && <p class="model">{model.value}</p>}
      </div>
      <nav class="views" aria-label={texts.header.views}>
        <button type="button" aria-current={view.value === 'chat' ? 'page' : undefined} onClick={() => show('chat')}><Icon name="talk" /><span>{texts.header.chat}</span></button>
        <button type="button" aria-current={view.value === 'classify' ? 'page' : undefined} onClick={() => show('classify')}><Icon name="chart" /><span>{texts.header.classify}</span></button>
      </nav>
      {view.value === 'chat' && <ContextGauge />}
      <IconButton icon="keyboard" label={texts.header.keys} class="only-wide" onClick={() => (keysShown.value = true)} />
      {view.value === 'chat' && (
        <IconButton icon="settings" label={texts.header.settings} expanded={panelOpen.value} onClick={() => (panelOpen.value = !panelOpen.value)} />
      )}
    </header>
  );
}
