// Where the server wants a key.
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { apiKey, setApiKey } from '../api/client';
import { asksKey, refreshServer } from '../state/server';
import { texts } from '../texts';
import { Dialog, Field } from './parts';

export function KeyDialog(): VNode {
  const [typed, setTyped] = useState(apiKey.value);
  const [tried, setTried] = useState(apiKey.value !== '');
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    setApiKey(typed);
    setTried(true);
    asksKey.value = false;
    await refreshServer(); // opens this again where the key is wrong
  };
  return (
    <Dialog title={texts.key.title} onClose={() => (asksKey.value = false)}>
      <form onSubmit={(event) => void save(event)}>
        {tried && <p class="warning" role="alert">{texts.key.wrong}</p>}
        <Field label={texts.key.field} help={texts.key.help}>
          {(ids) => <input {...ids} type="password" autofocus autocomplete="off" spellcheck={false} value={typed} onInput={(e) => setTyped(e.currentTarget.value)} />}
        </Field>
        <p class="buttons"><button type="submit" class="main-button">{texts.key.save}</button></p>
      </form>
    </Dialog>
  );
}
