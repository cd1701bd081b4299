// Server-sent events: bytes in, the data of whole events out. Comments, names and ids of events are passed over.

/** Reads one stream. Feed it pieces as they come; they may be cut anywhere, also within a character. */
export class EventReader {
  private decoder = new TextDecoder();
  private rest = '';
  private data: string[] = [];

  /** The data of the events that this piece completes. */
  read(piece: Uint8Array): string[] {
    this.rest += this.decoder.decode(piece, { stream: true });
    const events: string[] = [];
    const lines = this.rest.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0) events.push(this.data.join('\n'));
        this.data = [];
      } else if (line.startsWith('data:')) {
        this.data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
      }
    }
    return events;
  }
}
