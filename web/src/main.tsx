// The page's beginning: styles, data, the first view.
import './style/base.css';
import './style/layout.css';
import './style/chat.css';
import './style/tools.css';
import { render } from 'preact';
import { App } from './view/app';
import { loadConversations } from './state/conversations';
import { followAddress } from './state/address';
import { refreshServer } from './state/server';

void refreshServer();
await loadConversations();
await followAddress();
render(<App />, document.getElementById('app')!);
