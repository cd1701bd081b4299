// The tab that classifies: labels and rows in, a table with bars and downloads out.
import type { VNode } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { classifyRows, type Classified, type Label } from '../api/classify';
import { RequestError } from '../api/problem';
import { chooseFiles, download, readText } from '../base/files';
import { oneLine, percent } from '../base/format';
import { CsvError, readCsv, writeCsv } from '../data/csv';
import { Text } from '../markdown/text';
import { model } from '../state/server';
import { texts } from '../texts';
import { Icon } from './icons';
import { Field, showToast } from './parts';

const batch = 32; // rows a request
const maxShown = 500;
const maxFile = 32_000_000;

/** Labels as typed: "name" or "name: description", no name twice. */
export function readLabels(text: string): Label[] {
  const labels = new Map<string, Label>();
  for (const line of text.split('\n')) {
    const [, name = '', description = ''] = /^([^:]*)(?::\s*(.*))?$/.exec(line.trim()) ?? [];
    if (name.trim() !== '') labels.set(name.trim(), description ? { name: name.trim(), description } : { name: name.trim() });
  }
  return [...labels.values()];
}

interface Done extends Classified {
  text: string;
}

function Results({ results, labels }: { results: Done[]; labels: Label[] }): VNode {
  const csv = (): void => {
    const head = ['text', 'label', 'probability', 'label_mass', ...labels.map((label) => label.name)];
    const rows = results.map(({ text, scores, mass }) => [text, scores[0]!.label, String(scores[0]!.probability), String(mass),
      ...labels.map((label) => String(scores.find((s) => s.label === label.name)?.probability ?? ''))]);
    download('classified.csv', 'text/csv', writeCsv([head, ...rows]));
  };
  const jsonl = (): void => {
    const lines = results.map(({ text, scores, mass }) => JSON.stringify({
      text, label: scores[0]!.label, probability: scores[0]!.probability, label_mass: mass, probabilities: Object.fromEntries(scores.map((s) => [s.label, s.probability])),
    }));
    download('classified.jsonl', 'application/jsonl', `${lines.join('\n')}\n`);
  };
  return (
    <section>
      <div class="classify-head">
        <h2>{texts.classify.result}</h2>
        <button type="button" class="plain-button" onClick={csv}><Icon name="save" />{texts.classify.csv}</button>
        <button type="button" class="plain-button" onClick={jsonl}><Icon name="save" />{texts.classify.jsonl}</button>
      </div>
      {results.length > maxShown && <p class="help">{texts.classify.shownRows(maxShown, results.length)}</p>}
      <div class="table" tabIndex={0} role="region" aria-label={texts.classify.result}>
        <table class="classified">
          <thead><tr><th scope="col">{texts.classify.text}</th><th scope="col">{texts.classify.label}</th><th scope="col">{texts.classify.confidence}</th><th scope="col">{texts.classify.others}</th><th scope="col">{texts.classify.mass}</th></tr></thead>
          <tbody>
            {results.slice(0, maxShown).map(({ text, scores, mass }, i) => (
              <tr key={i}>
                <td dir="auto"><Text text={text.length > 300 ? `${text.slice(0, 299)}…` : text} /></td>
                <td><strong>{scores[0]!.label}</strong></td>
                <td class="share"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect width={100 * scores[0]!.probability} height="8" /></svg>{percent(scores[0]!.probability)}</td>
                <td class="help">{scores.slice(1, 3).map((s) => `${s.label} ${percent(s.probability)}`).join(', ')}</td>
                <td class="help">{percent(mass)}</td>
              </tr>
            ))}
          </tbody>
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

interface Run {
  results: Done[];
  problem: string;
  all: number | null; // rows, while it runs
  run: (rows: string[], labels: Label[]) => Promise<void>;
  halt: () => void;
}

/** Classifies rows batch by batch. */
function useRun(): Run {
  const [results, setResults] = useState<Done[]>([]);
  const [problem, setProblem] = useState('');
  const [all, setAll] = useState<number | null>(null);
  const controller = useRef<AbortController | null>(null);
  const step = async (rows: string[], labels: Label[], signal: AbortSignal): Promise<void> => {
    const done: Done[] = [];
    for (let i = 0; i < rows.length; i += batch) {
      const part = rows.slice(i, i + batch);
      const read = await classifyRows(model.value, part, labels, signal);
      if (!read) return setProblem(texts.classify.badAnswer);
      part.forEach((text, k) => done.push({ text, ...read[k]! }));
      setResults([...done]);
    }
  };
  const run = async (rows: string[], labels: Label[]): Promise<void> => {
    setProblem(labels.length < 2 ? texts.classify.needLabels : rows.length === 0 ? texts.classify.needRows : '');
    if (labels.length < 2 || rows.length === 0) return;
    controller.current = new AbortController();
    setAll(rows.length);
    setResults([]);
    try {
      await step(rows, labels, controller.current.signal);
    } catch (error) {
      if (error instanceof RequestError) setProblem(`${error.problem.text} ${error.problem.advice}`);
      else if (!(error instanceof DOMException)) throw error;
    }
    setAll(null);
  };
  return { results, problem, all, run, halt: () => controller.current?.abort() };
}

export function Classify(): VNode {
  const [labelText, setLabelText] = useState('');
  const [rowText, setRowText] = useState('');
  const [fileRows, setFileRows] = useState<string[] | null>(null); // rows of a file may hold ends of lines
  const [table, setTable] = useState<string[][] | null>(null);
  const { results, problem, all, run, halt } = useRun();
  const labels = readLabels(labelText);

  const openFile = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    const text = await readText(file, maxFile);
    if (text === null) return showToast(texts.classify.badFile(oneLine(file.name, 60)));
    try {
      const read = readCsv(text);
      if (read.length > 1) setTable(read);
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      showToast(texts.classify.badCsv(oneLine(file.name, 60), error.line));
    }
  };
  const take = (rows: string[]): void => {
    setTable(null);
    setFileRows(rows);
    setRowText(rows.map((row) => row.replace(/\s*\n\s*/g, ' ')).join('\n'));
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void run((fileRows ?? rowText.split('\n')).filter((row) => row.trim() !== ''), labels);
  };
  return (
    <div class="classify" tabIndex={-1}>
      <form onSubmit={submit} onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => { event.preventDefault(); void openFile(event.dataTransfer?.files[0]); }}>
        <p class="help">{texts.classify.intro}</p>
        <div class="classify-inputs">
          <Field label={texts.classify.labels} help={texts.classify.labelsHelp}>
            {(ids) => <textarea {...ids} rows={8} dir="auto" value={labelText} onInput={(e) => setLabelText(e.currentTarget.value)} />}
          </Field>
          <Field label={texts.classify.rows} help={texts.classify.rowsHelp}>
            {(ids) => <textarea {...ids} rows={8} dir="auto" value={rowText} onInput={(e) => { setRowText(e.currentTarget.value); setFileRows(null); }} />}
          </Field>
        </div>
        {table && <ColumnChoice table={table} onTake={take} />}
        <p class="buttons">
          {all === null
            ? <button type="submit" class="main-button">{texts.classify.run}</button>
            : <button type="button" class="main-button" onClick={halt}>{texts.classify.halt}</button>}
          <button type="button" class="plain-button" onClick={() => void chooseFiles('.csv,text/csv', false).then((files) => openFile(files[0]))}><Icon name="file" />{texts.classify.open}</button>
        </p>
        <div role="status">
          {all !== null && <p class="help">{texts.classify.progress(results.length, all)}</p>}
          {problem && <p class="warning">{problem}</p>}
        </div>
      </form>
      {results.length > 0 && <Results results={results} labels={labels} />}
    </div>
  );
}
