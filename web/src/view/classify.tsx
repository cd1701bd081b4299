// The tab that classifies: labels and rows in, a table with bars and downloads out.
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { chooseFiles, download, readText } from '../base/files';
import { oneLine, percent } from '../base/format';
import { CsvError, readCsv, writeCsv } from '../data/csv';
import { Text } from '../markdown/text';
import { fileRows, halt, labels, labelText, problem, resultLabels, results, rows, rowsInAll, rowText, run, type Done } from '../state/classifying';
import { texts } from '../texts';
import { Icon } from './icons';
import { Field, showToast } from './parts';

const maxShown = 500; // rows
const maxBars = 4; // labels of a row
const maxFile = 32_000_000;

function downloadCsv(list: Done[]): void {
  const names = resultLabels.value.map((label) => label.name);
  const lines = list.map(({ text, scores, mass }) => [text, scores[0]!.label, String(scores[0]!.probability), String(mass),
    ...names.map((name) => String(scores.find((s) => s.label === name)?.probability ?? ''))]);
  download('classified.csv', 'text/csv', writeCsv([['text', 'label', 'probability', 'label_mass', ...names], ...lines]));
}

function downloadJsonl(list: Done[]): void {
  const lines = list.map(({ text, scores, mass }) => JSON.stringify({
    text, label: scores[0]!.label, probability: scores[0]!.probability, label_mass: mass, probabilities: Object.fromEntries(scores.map((s) => [s.label, s.probability])),
  }));
  download('classified.jsonl', 'application/jsonl', `${lines.join('\n')}\n`);
}

/** One row: its text, the likeliest label, and each label's probability as a bar. */
function Row({ row: { text, scores, mass } }: { row: Done }): VNode {
  const left = scores.length - maxBars;
  return (
    <tr>
      <td dir="auto"><Text text={text.length > 300 ? `${text.slice(0, 299)}…` : text} /></td>
      <td class="chosen"><strong><Text text={scores[0]!.label} /></strong></td>
      <td>
        <ul class="shares">
          {scores.slice(0, maxBars).map(({ label, probability }) => (
            <li key={label}>
              <span class="share-name" title={label}><Text text={label} /></span>
              <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width={100 * probability} height="8" /></svg>
              <span>{percent(probability)}</span>
            </li>
          ))}
        </ul>
        {left > 0 && <p class="help">{texts.classify.more(left)}</p>}
      </td>
      <td class="mass"><span class="mass-name" aria-hidden="true">{texts.classify.mass} </span>{percent(mass)}</td>
    </tr>
  );
}

function Results(): VNode {
  const list = results.value;
  return (
    <section aria-label={texts.classify.result}>
      <div class="classify-head">
        <h2>{texts.classify.result}</h2>
        <button type="button" class="plain-button" onClick={() => downloadCsv(list)}><Icon name="save" />{texts.classify.csv}</button>
        <button type="button" class="plain-button" onClick={() => downloadJsonl(list)}><Icon name="save" />{texts.classify.jsonl}</button>
      </div>
      {list.length > maxShown && <p class="help">{texts.classify.shownRows(maxShown, list.length)}</p>}
      <div class="table">
        <table class="classified">
          <thead><tr><th scope="col">{texts.classify.text}</th><th scope="col">{texts.classify.label}</th><th scope="col">{texts.classify.confidence}</th><th scope="col">{texts.classify.mass}</th></tr></thead>
          <tbody>{list.slice(0, maxShown).map((row, i) => <Row key={i} row={row} />)}</tbody>
        </table>
      </div>
    </section>
  );
}

function ColumnChoice({ table, onTake }: { table: string[][]; onTake: (rows: string[]) => void }): VNode {
  const head = table[0]!;
  const [column, setColumn] = useState(Math.max(0, head.findIndex((name) => /^(text|message|body|content|input)$/i.test(name.trim()))));
  return (
    <div class="column-choice">
      <Field label={texts.classify.column}>
        {(ids) => <select {...ids} value={column} onChange={(e) => setColumn(Number(e.currentTarget.value))}>
          {head.map((name, i) => <option key={i} value={i}>{texts.classify.columnName(i + 1, oneLine(name, 40))}</option>)}
        </select>}
      </Field>
      <button type="button" class="plain-button" onClick={() => onTake(table.slice(1).map((row) => row[column] ?? ''))}>{texts.classify.take}</button>
    </div>
  );
}

export function Classify(): VNode {
  const [table, setTable] = useState<string[][] | null>(null);
  const [over, setOver] = useState(false);
  const openFile = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    const text = await readText(file, maxFile);
    if (text === null) return showToast(texts.classify.badFile(oneLine(file.name, 60)));
    try {
      const read = readCsv(text);
      if (read.length > 1) setTable(read);
      else showToast(texts.classify.emptyCsv(oneLine(file.name, 60)));
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      showToast(texts.classify.badCsv(oneLine(file.name, 60), error.line));
    }
  };
  const take = (list: string[]): void => {
    setTable(null);
    fileRows.value = list;
    rowText.value = list.map((row) => row.replace(/\s*\n\s*/g, ' ')).join('\n');
  };
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    void openFile(event.dataTransfer?.files[0]);
  };
  return (
    <div class={`classify${over ? ' over' : ''}`} onDrop={onDrop} onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)}>
      <form onSubmit={(event) => { event.preventDefault(); void run(); }}>
        <p class="help">{texts.classify.intro}</p>
        <div class="classify-inputs">
          <Field label={texts.classify.labels} help={texts.classify.labelsHelp}>
            {(ids) => <textarea {...ids} rows={8} dir="auto" placeholder={texts.classify.labelsExample} value={labelText.value} onInput={(e) => (labelText.value = e.currentTarget.value)} />}
          </Field>
          <Field label={texts.classify.rows} help={texts.classify.rowsHelp}>
            {(ids) => <textarea {...ids} rows={8} dir="auto" placeholder={texts.classify.rowsExample} value={rowText.value} onInput={(e) => { rowText.value = e.currentTarget.value; fileRows.value = null; }} />}
          </Field>
        </div>
        {table && <ColumnChoice table={table} onTake={take} />}
        <div class="classify-run">
          {rowsInAll.value === null
            ? <button type="submit" class="main-button">{texts.classify.run}</button>
            : <button type="button" class="main-button" onClick={halt}>{texts.classify.halt}</button>}
          <button type="button" class="plain-button" onClick={() => void chooseFiles('.csv,text/csv', false).then((files) => openFile(files[0]))}><Icon name="file" />{texts.classify.open}</button>
          <span class="help">{texts.classify.have(labels.value.length, rows.value.length)}</span>
        </div>
        <div role="status">
          {rowsInAll.value !== null && <p class="help">{texts.classify.progress(results.value.length, rowsInAll.value)}</p>}
          {problem.value && <p class="ending problem"><Icon name="warning" /><span>{problem.value}</span></p>}
        </div>
      </form>
      {results.value.length > 0 && <Results />}
    </div>
  );
}
