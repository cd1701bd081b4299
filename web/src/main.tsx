// The page's beginning: styles, data, the first view.
import './style/base.css';
import './style/layout.css';
import './style/chat.css';
import './style/tools.css';
import { render } from 'preact';
import { App } from './view/app';
import { loadConversations } from './state/conversations';
import { followAddress, namesConversation } from './state/address';
import { followDraft } from './state/drafts';
import { refreshServer } from './state/server';

void refreshServer();
followDraft();
const loaded = loadConversations();
if (namesConversation()) await loaded; // a new chat waits for no database
await followAddress();
render(<App />, document.getElementById('app')!);
performance.mark('lfm-ready'); // tests/measure.mjs reads it
