// The request as a program.
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { apiKey } from '../api/client';
import { plainBody } from '../api/request';
import { snippet, type Language } from '../api/snippets';
import { CodeBlock } from '../markdown/code';
import { texts } from '../texts';
import { Dialog, Tabs } from './parts';

export function CodeDialog({ body, onClose }: { body: Record<string, unknown>; onClose: () => void }): VNode {
  const [language, setLanguage] = useState<Language>('curl');
  const base = location.origin + location.pathname.replace(/\/[^/]*$/, '');
  const program = snippet(language, base, plainBody(body), apiKey.value !== '');
  return (
    <Dialog title={texts.code.title} wide onClose={onClose}>
      <Tabs label={texts.code.title} chosen={language} onChoose={setLanguage}
        names={[['curl', texts.code.curl], ['python', texts.code.python], ['javascript', texts.code.javascript]]}>
        <CodeBlock language={language === 'curl' ? 'bash' : language} text={program} />
        {apiKey.value !== '' && <p class="help">{texts.code.key}</p>}
      </Tabs>
    </Dialog>
  );
}
