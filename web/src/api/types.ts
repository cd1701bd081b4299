// The server's answers as far as the page reads them. Everything is optional: other versions of the server may say less.

export interface Timings {
  prompt_ms?: number;
  predicted_per_second?: number;
  limit_share?: number;
}

export interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  total_tokens?: number;
  prompt_tokens_details?: { cached_tokens?: number } | null;
  cost?: number | string | null;
}

export interface LogprobItem {
  token: string;
  logprob: number;
  bytes?: number[] | null;
  top_logprobs?: { token: string; logprob: number; bytes?: number[] | null }[];
}

export interface ToolCallDelta {
  index: number;
  id?: string;
  function?: { name?: string; arguments?: string };
}

export interface Chunk {
  model?: string;
  system_fingerprint?: string | null;
  choices?: {
    delta?: {
      content?: string | null;
      reasoning_content?: string | null;
      reasoning?: string | null;
      tool_calls?: ToolCallDelta[];
    };
    finish_reason?: string | null;
    logprobs?: { content?: LogprobItem[] | null } | null;
  }[];
  usage?: Usage | null;
  timings?: Timings;
  prompt_progress?: { total: number; cache: number; processed: number; time_ms?: number };
  error?: ErrorBody;
}

export interface ErrorBody {
  message?: string;
  type?: string;
  param?: string | null;
  code?: string | number | null;
}

export interface Props {
  model_alias?: string;
  model_path?: string;
  build_info?: string;
  system_fingerprint?: string;
  default_generation_settings?: {
    n_ctx?: number;
    params?: Record<string, unknown>;
  } & Record<string, unknown>;
  limit_tokens_per_second?: number; // what the machine's memory allows one answer
  pricing?: { prompt?: number | string; completion?: number | string }; // dollars a token
}

export interface ModelList {
  data?: { id: string; max_model_len?: number; context_length?: number }[];
}
