// CSV by RFC 4180: quoted fields, doubled quotation marks, ends of lines within quotes; LF or CRLF, a BOM is skipped.

/** A broken file: the line (from 1) where a quoted field begins or ends as none may. */
export class CsvError extends Error {
  constructor(readonly line: number) {
    super(`line ${line}`);
  }
}

class CsvReader {
  private at = 0;
  private line = 1;

  constructor(private readonly text: string) {
    if (text.startsWith('\uFEFF')) this.at = 1;
  }

  rows(): string[][] {
    const rows: string[][] = [];
    while (this.at < this.text.length) {
      const row = this.row();
      if (row.length > 1 || row[0] !== '') rows.push(row); // an empty line is no row
    }
    return rows;
  }

  private row(): string[] {
    const row: string[] = [];
    for (;;) {
      row.push(this.text[this.at] === '"' ? this.quoted() : this.plain());
      if (this.text[this.at] !== ',') break;
      this.at++;
    }
    if (this.text[this.at] === '\r') this.at++;
    if (this.text[this.at] === '\n') this.at++;
    this.line++;
    return row;
  }

  private plain(): string {
    const begin = this.at;
    while (this.at < this.text.length && !',\n'.includes(this.text[this.at]!) && !this.text.startsWith('\r\n', this.at)) {
      if (this.text[this.at] === '"') throw new CsvError(this.line);
      this.at++;
    }
    return this.text.slice(begin, this.at);
  }

  private quoted(): string {
    const begun = this.line;
    let field = '';
    for (;;) {
      const end = this.text.indexOf('"', this.at + 1);
      if (end < 0) throw new CsvError(begun);
      const part = this.text.slice(this.at + 1, end);
      this.line += part.split('\n').length - 1;
      field += part;
      this.at = end + 1;
      if (this.text[this.at] !== '"') break;
      field += '"';
    }
    const next = this.text.slice(this.at, this.at + 2);
    if (next !== '' && next[0] !== ',' && next[0] !== '\n' && next !== '\r\n') throw new CsvError(this.line);
    return field;
  }
}

/** The rows of a file. Throws CsvError. */
export function readCsv(text: string): string[][] {
  return new CsvReader(text).rows();
}

export function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function writeCsv(rows: string[][]): string {
  return rows.map((row) => `${row.map(csvField).join(',')}\r\n`).join('');
}
