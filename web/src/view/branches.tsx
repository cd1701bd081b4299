// The switch between the versions of a turn.
import type { VNode } from 'preact';
import type { Message } from '../data/types';
import { showBranch } from '../state/conversations';
import { texts } from '../texts';
import { IconButton } from './parts';

export interface Place {
  index: number;
  siblings: Message[];
}

export function Branches({ place }: { place: Place }): VNode | null {
  const { index, siblings } = place;
  if (siblings.length < 2) return null;
  const go = (step: number): void => void showBranch(siblings[index + step]!);
  return (
    <span class="branches" role="group" aria-label={texts.log.branch(index + 1, siblings.length)}>
      <IconButton icon="left" label={texts.log.previous} disabled={index === 0} onClick={() => go(-1)} />
      <span>{index + 1} / {siblings.length}</span>
      <IconButton icon="right" label={texts.log.next} disabled={index === siblings.length - 1} onClick={() => go(1)} />
    </span>
  );
}
