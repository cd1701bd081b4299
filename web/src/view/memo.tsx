// A component that is drawn again only when what it shows has changed.
import { Component, type ComponentChild, type FunctionComponent } from 'preact';

export function memo<P extends object>(Inner: FunctionComponent<P>, equal: (a: P, b: P) => boolean): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return !equal(this.props, next);
    }
    override render(): ComponentChild {
      return <Inner {...(this.props)} />;
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}
