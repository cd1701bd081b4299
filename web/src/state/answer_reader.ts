// Chunks in, a message out: gathers text, reasoning, calls, tokens and figures of one streamed answer.
import type { Chunk, LogprobItem, ToolCallDelta, Usage } from '../api/types';
import type { Message, Stats, TokenRecord, ToolCall } from '../data/types';

// A token whose text does not give its bytes back is part of a character; the bytes are then kept beside it.
function tokenText(item: { token: string; bytes?: number[] | null | undefined }): { text: string; bytes?: number[] } {
  if (item.bytes && item.token.includes('\uFFFD')) return { text: item.token, bytes: item.bytes };
  return { text: item.token };
}

function tokenRecord(item: LogprobItem): TokenRecord {
  return {
    ...tokenText(item),
    logprob: item.logprob,
    alternatives: (item.top_logprobs ?? []).map((other) => ({ ...tokenText(other), logprob: other.logprob })),
  };
}

export class AnswerReader {
  onChange: () => void = () => undefined;
  progress: { total: number; cached: number; read: number } | null = null;
  pieces = 0; // chunks that brought something

  private content: string;
  private reasoning: string;
  private calls: ToolCall[];
  private tokens: TokenRecord[];
  private finish: string | null = null;
  private usage: Usage | null = null;
  private rate: number | undefined;
  private limitShare: number | undefined;
  private fingerprint: string | undefined;
  private model: string | undefined;
  private sent = 0;
  private first = 0;
  private last = 0;

  constructor(private readonly start: Message) {
    this.content = start.content;
    this.reasoning = start.reasoning ?? '';
    this.calls = [...(start.toolCalls ?? [])];
    this.tokens = [...(start.tokens ?? [])];
  }

  /** The request goes out now. */
  begin(): void {
    this.sent = performance.now();
  }

  get hasText(): boolean {
    return this.first > 0;
  }

  add(chunk: Chunk): void {
    if (chunk.system_fingerprint) this.fingerprint = chunk.system_fingerprint;
    if (chunk.model) this.model = chunk.model;
    if (chunk.prompt_progress) {
      const { total, cache, processed } = chunk.prompt_progress;
      this.progress = { total, cached: cache, read: processed };
    }
    if (chunk.usage) this.usage = chunk.usage;
    if (chunk.timings) {
      this.rate = chunk.timings.predicted_per_second;
      this.limitShare = chunk.timings.limit_share;
    }
    const choice = chunk.choices?.[0];
    if (choice) this.addChoice(choice);
    this.onChange();
  }

  private addChoice(choice: NonNullable<Chunk['choices']>[number]): void {
    const delta = choice.delta ?? {};
    const reasoning = delta.reasoning_content ?? delta.reasoning ?? '';
    if (delta.content || reasoning || (delta.tool_calls?.length ?? 0) > 0) {
      this.last = performance.now();
      if (this.first === 0) this.first = this.last;
      this.pieces++;
      this.progress = null;
    }
    this.content += delta.content ?? '';
    this.reasoning += reasoning;
    for (const call of delta.tool_calls ?? []) this.addCall(call);
    for (const item of choice.logprobs?.content ?? []) this.tokens.push(tokenRecord(item));
    if (choice.finish_reason) this.finish = choice.finish_reason;
  }

  private addCall(delta: ToolCallDelta): void {
    const old = this.calls[delta.index] ?? { id: '', name: '', arguments: '' };
    this.calls[delta.index] = {
      id: old.id || (delta.id ?? ''),
      name: old.name || (delta.function?.name ?? ''),
      arguments: old.arguments + (delta.function?.arguments ?? ''),
    };
  }

  /** As far as it has come. */
  message(): Message {
    const message: Message = { ...this.start, content: this.content };
    if (this.reasoning) message.reasoning = this.reasoning;
    if (this.calls.length > 0) message.toolCalls = [...this.calls];
    if (this.tokens.length > 0) message.tokens = [...this.tokens];
    if (this.fingerprint) message.fingerprint = this.fingerprint;
    if (this.model) message.model = this.model;
    if (this.first > 0 || this.usage) message.stats = this.stats();
    return message;
  }

  /** After the stream's own end. */
  finished(): Message {
    return { ...this.message(), status: this.finish === 'length' ? 'length' : 'done' };
  }

  private stats(): Stats {
    const answer = this.usage?.completion_tokens ?? this.pieces;
    const between = (this.last - this.first) / 1000;
    const stats: Stats = {
      promptTokens: this.usage?.prompt_tokens ?? 0,
      cachedTokens: this.usage?.prompt_tokens_details?.cached_tokens ?? 0,
      answerTokens: answer,
      firstTokenMs: this.first > 0 ? this.first - this.sent : 0,
      tokensPerSecond: this.rate ?? (between > 0 && answer > 1 ? (answer - 1) / between : 0),
      totalMs: (this.last || performance.now()) - this.sent,
    };
    const cost = Number(this.usage?.cost ?? NaN);
    if (Number.isFinite(cost)) stats.costDollars = cost;
    if (this.limitShare !== undefined) stats.limitShare = this.limitShare;
    return stats;
  }
}
