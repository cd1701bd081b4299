// From a conversation to the body of a request.
import type { Conversation, Message, Settings } from '../data/types';

type Body = Record<string, unknown>;

/** JSON that must be of one kind; undefined where the text is empty or is not. */
export function parseAs(kind: 'object' | 'array', text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    const isArray = Array.isArray(value);
    return typeof value === 'object' && value !== null && isArray === (kind === 'array') ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A user's text with the attached files below it, each fenced by more backticks than it holds itself. */
export function withFiles(message: Message): string {
  const parts = [message.content];
  for (const file of message.files ?? []) {
    const longest = Math.max(2, ...(file.text.match(/`+/g) ?? []).map((run) => run.length));
    const fence = '`'.repeat(longest + 1);
    parts.push(`File ${file.name}:\n${fence}\n${file.text}${file.text.endsWith('\n') ? '' : '\n'}${fence}`);
  }
  return parts.filter((part) => part !== '').join('\n\n');
}

function wireMessage(message: Message): Body {
  if (message.role === 'tool') return { role: 'tool', tool_call_id: message.toolCallId ?? '', content: message.content };
  if (message.role === 'user') return { role: 'user', content: withFiles(message) };
  const calls = message.toolCalls ?? [];
  if (calls.length === 0) return { role: 'assistant', content: message.content };
  return {
    role: 'assistant',
    content: message.content === '' ? null : message.content,
    tool_calls: calls.map((call) => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments || '{}' } })),
  };
}

/** Tools may be typed as the API wants them or as bare functions. */
function wireTools(text: string): unknown[] | undefined {
  const list = parseAs('array', text) as unknown[] | undefined;
  if (!list || list.length === 0) return undefined;
  return list.map((tool) =>
    typeof tool === 'object' && tool !== null && !('type' in tool && 'function' in tool) ? { type: 'function', function: tool } : tool,
  );
}

/** What the settings add to a body; an unset one is left to the model's defaults. */
export function settingsBody(settings: Settings): Body {
  const { seed: _seed, stop, extra, ...plain } = settings;
  const body: Body = {};
  for (const [name, value] of Object.entries(plain)) if (value !== undefined) body[name] = value;
  if (stop && stop.length > 0) body['stop'] = stop;
  if (extra) Object.assign(body, parseAs('object', extra) ?? {});
  return body;
}

export interface RequestOptions {
  model: string;
  seed: number;
  tokens: boolean; // ask for each token's probability
  continued: boolean; // go on with the last message, which is the assistant's
}

/** The request for what comes after path. */
export function chatBody(conversation: Conversation, path: Message[], options: RequestOptions): Body {
  const messages = path.map(wireMessage);
  if (conversation.system.trim() !== '') messages.unshift({ role: 'system', content: conversation.system });
  const body: Body = { model: options.model, messages, ...settingsBody(conversation.settings), seed: options.seed };
  const tools = wireTools(conversation.tools);
  if (tools) body['tools'] = tools;
  const schema = parseAs('object', conversation.schema);
  if (schema) body['response_format'] = { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } };
  if (options.tokens) Object.assign(body, { logprobs: true, top_logprobs: 5 });
  if (options.continued) Object.assign(body, { continue_final_message: true, add_generation_prompt: false });
  return { ...body, stream: true, stream_options: { include_usage: true }, return_progress: true };
}

/** A stored request without what only the page's own display needs. */
export function plainBody(body: Body): Body {
  const { return_progress: _progress, logprobs: _logprobs, top_logprobs: _top, ...rest } = body;
  return rest;
}
