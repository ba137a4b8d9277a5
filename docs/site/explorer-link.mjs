/** A plugin of TypeDoc: every page of the documentation leads to the explorer, which is beside them. */
import { JSX } from 'typedoc';

export function load(app) {
  app.renderer.hooks.on('sidebar.begin', (context) =>
    JSX.createElement(
      'a',
      { href: context.relativeURL('explorer/index.html'), class: 'tsd-index-link explorer-link' },
      'Convolution as matrices: see and touch',
    ),
  );
}
