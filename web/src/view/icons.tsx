// Line icons on a grid of 24, drawn for this page.
import type { VNode } from 'preact';

const shapes = {
  menu: 'M4 7h16M4 12h16M4 17h10',
  plus: 'M12 5v14M5 12h14',
  search: 'M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14zM20 20l-4-4',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8v4.4M9 14.8v4.4',
  send: 'M12 19V5M6 11l6-6 6 6',
  stop: 'M8 8h8v8H8z',
  attach: 'M19 11l-7.5 7.5a4.2 4.2 0 0 1-6-6L13 5a2.8 2.8 0 0 1 4 4l-7.3 7.3a1.4 1.4 0 0 1-2-2L14.5 7.5',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  edit: 'M5 19l1-4L16 5l3 3L9 18zM14 7l3 3',
  again: 'M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4',
  forward: 'M5 12h13M13 7l5 5-5 5',
  tokens: 'M4 6h6v5H4zM14 6h6v5h-6zM4 14h9v4H4zM17 14h3v4h-3z',
  columns: 'M4 5h16v14H4zM12 5v14',
  repeat: 'M4 9h12l-3-3M20 15H8l3 3',
  code: 'M9 8l-4 4 4 4M15 8l4 4-4 4',
  left: 'M14 7l-5 5 5 5',
  right: 'M10 7l5 5-5 5',
  close: 'M6 6l12 12M18 6L6 18',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  down: 'M12 5v14M6 13l6 6 6-6',
  up: 'M12 16V5M7 10l5-5 5 5M5 19h14',
  save: 'M12 5v11M7 11l5 5 5-5M5 19h14',
  tool: 'M14.5 6a4 4 0 0 0-5 5L4 16.5 7.5 20 13 14.5a4 4 0 0 0 5-5L15.5 12 12 8.5z',
  file: 'M7 4h7l4 4v12H7zM14 4v4h4',
  warning: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  keyboard: 'M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8',
  trash: 'M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13',
  spark: 'M12 4l1.8 6.2L20 12l-6.2 1.8L12 20l-1.8-6.2L4 12l6.2-1.8z',
  talk: 'M5 5h14v10H11l-4 4v-4H5z',
  chart: 'M5 19V9M12 19V5M19 19v-7',
};

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }): VNode {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}
