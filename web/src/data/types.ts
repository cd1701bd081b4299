// What the browser keeps: conversations, and the messages of each as a tree.

export interface ToolCall {
  id: string;
  name: string;
  arguments: string; // JSON, as far as it has come
}

/** One sampled token. Logarithms of probabilities are the model's own, before sampling. */
export interface TokenRecord {
  text: string;
  bytes?: number[]; // where the text alone would lose something: part of a character
  logprob: number;
  alternatives: { text: string; bytes?: number[]; logprob: number }[];
}

export interface Stats {
  promptTokens: number;
  cachedTokens: number;
  answerTokens: number;
  firstTokenMs: number; // from sending to the first piece of the answer
  tokensPerSecond: number;
  totalMs: number;
  costDollars?: number; // as the server says
  limitShare?: number; // of the machine's limit, as the server says
}

/** What a repetition of an answer gave. */
export interface Repetition {
  same: boolean;
  atToken: number; // the first that differs; the number of tokens where all agree
  fingerprint: string;
  when: number;
}

/** streaming: comes right now. length: at the limit of tokens. broken: the stream ended early. failed: `problem` says why. */
export type Status = 'done' | 'streaming' | 'stopped' | 'length' | 'broken' | 'failed';

export interface AttachedFile {
  name: string;
  text: string;
}

export interface Message {
  id: string;
  conversation: string;
  parent: string | null;
  created: number;
  role: 'user' | 'assistant' | 'tool';
  content: string;
  files?: AttachedFile[];
  toolCallId?: string; // of a tool's result
  toolName?: string;
  reasoning?: string;
  toolCalls?: ToolCall[];
  status?: Status;
  problem?: Problem;
  edited?: boolean; // written or changed by hand
  tab?: string; // who streams it
  beat?: number; // when that tab last wrote it
  request?: Record<string, unknown>; // the body that was sent
  fingerprint?: string;
  model?: string;
  stats?: Stats;
  tokens?: TokenRecord[];
  tokensFrom?: number; // characters of content that stood before tokens[0]
  requestFrom?: number; // characters of content that stood before what the request gave (a continued answer)
  repetition?: Repetition;
}

/** An error in words: what is wrong, and what to do. */
export interface Problem {
  kind: 'gone' | 'busy' | 'starting' | 'key' | 'context' | 'refused' | 'server' | 'cut';
  text: string;
  advice: string;
}

/** Undefined members are the model's own defaults. */
export interface Settings {
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  repetition_penalty?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  max_tokens?: number;
  seed?: number; // undefined: a new one for each answer
  stop?: string[];
  extra?: string; // a JSON object: further members of the request
}

export interface Conversation {
  id: string;
  title: string;
  titleGiven: boolean; // by the person, so never replaced
  tags: string[];
  created: number;
  updated: number;
  leaf: string | null; // the last message of the path that is shown
  system: string;
  tools: string; // JSON, as typed
  schema: string; // JSON, as typed
  settings: Settings;
}
