// Colours of program text: highlight.js reads it, a tree comes out.
import { createLowlight } from 'lowlight';
import type { Root, RootContent } from 'hast';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import python from 'highlight.js/lib/languages/python';
import rust from 'highlight.js/lib/languages/rust';
import sql from 'highlight.js/lib/languages/sql';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';

const languages = { bash, c, cpp, css, diff, go, ini, java, javascript, json, python, rust, sql, typescript, xml, yaml };
let lowlight: ReturnType<typeof createLowlight> | undefined; // made for the first block of code
const maxChars = 50_000;
const maxDepth = 40;

/** Whether elements stand in each other deeper than a recursive renderer may go. */
function tooDeep(tree: Root): boolean {
  let level: RootContent[] = tree.children;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return true;
    level = level.flatMap((node) => (node.type === 'element' ? node.children : []));
  }
  return false;
}

/** The coloured tree, or null where the language is not known, or the text is too long or nests too deep. */
export function highlight(language: string, text: string): Root | null {
  lowlight ??= createLowlight(languages);
  if (text.length > maxChars || !lowlight.registered(language)) return null;
  try {
    const tree = lowlight.highlight(language, text);
    return tooDeep(tree) ? null : tree;
  } catch (error) {
    if (error instanceof RangeError) return null; // the reader's own recursion ran out of stack
    throw error;
  }
}
