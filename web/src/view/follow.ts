// Keeps the end of a scrolled box in view while it grows, until the person scrolls up; from the end on again.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface Follow {
  away: boolean; // the person is elsewhere
  jump: () => void; // to the end, and follow it
}

/** inside is what grows within box. */
export function useFollow(box: { current: HTMLElement | null }, inside: { current: HTMLElement | null }): Follow {
  const [away, setAway] = useState(false);
  const follows = useRef(true);
  const last = useRef(0);
  const toEnd = (): void => {
    const element = box.current;
    if (!element) return;
    element.scrollTop = element.scrollHeight;
    last.current = element.scrollTop;
  };
  useLayoutEffect(() => {
    const element = box.current!;
    const onScroll = (): void => {
      const rest = element.scrollHeight - element.scrollTop - element.clientHeight;
      // Growth alone moves nothing up: only a person does.
      if (rest < 40) follows.current = true;
      else if (element.scrollTop < last.current - 1) follows.current = false;
      last.current = element.scrollTop;
      setAway(!follows.current && rest >= 40);
    };
    const observer = new ResizeObserver(() => follows.current && toEnd());
    observer.observe(inside.current!);
    observer.observe(element);
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', onScroll);
    };
  }, []);
  const jump = (): void => {
    follows.current = true;
    setAway(false);
    toEnd();
  };
  return { away, jump };
}
