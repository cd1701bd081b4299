// The frame: conversations on the left, what one works on in the middle, settings on the right.
import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { isLasting, storageFull } from '../state/conversations';
import { view } from '../state/address';
import { panelOpen, sidebarOpen } from '../state/preferences';
import { asksKey, serverProblem } from '../state/server';
import { texts } from '../texts';
import { Chat } from './chat';
import { Classify } from './classify';
import { Header } from './header';
import { Icon } from './icons';
import { KeyDialog } from './key_dialog';
import { KeysDialog, keysShown } from './keys_dialog';
import { announcement, IconButton, toast } from './parts';
import { SettingsPanel } from './settings_panel';
import { narrow, onKey } from './shortcuts';
import { Sidebar } from './sidebar';

function useNarrow(): boolean {
  const [is, setIs] = useState(narrow.matches);
  useEffect(() => {
    const change = (): void => setIs(narrow.matches);
    narrow.addEventListener('change', change);
    return () => narrow.removeEventListener('change', change);
  }, []);
  return is;
}

function Notices(): VNode {
  const [hidden, setHidden] = useState(false);
  const problem = serverProblem.value;
  return (
    <div class="notices">
      {problem && problem.kind !== 'key' && (
        <p class="notice" role="alert"><Icon name="warning" /><span><strong>{problem.text}</strong> {problem.advice}</span></p>
      )}
      {storageFull.value && <p class="notice" role="alert"><Icon name="warning" /><span>{texts.storageFull}</span></p>}
      {!isLasting.value && !hidden && (
        <p class="notice"><Icon name="warning" /><span>{texts.notLasting}</span>
          <IconButton icon="close" label={texts.dismiss} onClick={() => setHidden(true)} /></p>
      )}
    </div>
  );
}

export function App(): VNode {
  const isNarrow = useNarrow();
  useEffect(() => {
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
  const classifying = view.value === 'classify';
  const overlaid = isNarrow && (sidebarOpen.value || panelOpen.value);
  const closeAll = (): void => {
    sidebarOpen.value = panelOpen.value = false;
  };
  return (
    <div class="app" data-sidebar={sidebarOpen.value} data-panel={panelOpen.value && view.value === 'chat'}>
      {!classifying && <a class="skip" href="#message" onClick={(event) => { event.preventDefault(); document.getElementById('message')?.focus(); }}>{texts.skip}</a>}
      {sidebarOpen.value && <Sidebar narrow={isNarrow} />}
      {overlaid && <div class="scrim" onClick={closeAll} />}
      <div class="middle" inert={overlaid}>
        <Header />
        <Notices />
        <main>{classifying ? <Classify /> : <Chat />}</main>
      </div>
      {panelOpen.value && view.value === 'chat' && <SettingsPanel />}
      {asksKey.value && <KeyDialog />}
      {keysShown.value && <KeysDialog />}
      <div class="toast" role="status">{toast.value}</div>
      <div class="unseen" role="status">{announcement.value}</div>
    </div>
  );
}
