// CSV by RFC 4180: quoted fields, doubled quotation marks, line ends within quotes.

/** A broken file: the line (from 1) where a quotation mark stands that may not. */
export class CsvError extends Error {
  constructor(readonly line: number) {
    super(`line ${line}`);
  }
}

export function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let i = text.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  const endRow = (): void => {
    row.push(field);
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
    field = '';
    line++;
  };
  while (i < text.length) {
    const c = text[i]!;
    if (c === '"' && field === '') {
      const begin = line;
      for (;;) {
        const end = text.indexOf('"', i + 1);
        if (end < 0) throw new CsvError(begin);
        const part = text.slice(i + 1, end);
        line += part.split('\n').length - 1;
        field += part;
        i = end + 1;
        if (text[i] !== '"') break;
        field += '"';
      }
      if (i < text.length && !',\r\n'.includes(text[i]!)) throw new CsvError(line);
      if (text[i] === ',' || text[i] === '\n' || text[i] === '\r' || i >= text.length) {
        if (text[i] === ',') {
          row.push(field);
          field = '';
          i++;
        }
        continue;
      }
    }
    if (c === '"') throw new CsvError(line);
    if (c === ',') {
      row.push(field);
      field = '';
    } else if (c === '\n') {
      endRow();
    } else if (!(c === '\r' && text[i + 1] === '\n')) {
      field += c;
    }
    i++;
  }
  if (field !== '' || row.length > 0) endRow();
  return rows;
}

export function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
