/** How a state of a relay looks. The word always stands beside glyph and colour: nothing is told by colour alone. */
export interface Look {
  readonly glyph: string;
  /** On white, and on the dark theme's `#10151d`. */
  readonly light: string;
  readonly dark: string;
}

const REST: Look = { glyph: '○', light: '#696b71', dark: '#b4b5b5' };

/** Colours that can be told apart with normal vision and with each of three kinds of colour blindness. */
export const LOOKS: Readonly<Record<string, Look>> = {
  connecting: { glyph: '◌', light: '#08488c', dark: '#58a7f4' },
  connected: { glyph: '●', light: '#3da490', dark: '#9bf1d5' },
  degraded: { glyph: '▲', light: '#ca8711', dark: '#e5a24c' },
  backoff: { glyph: '◷', light: '#a277f3', dark: '#6c70ef' },
  'open-circuit': { glyph: '✖', light: '#bc3d0b', dark: '#e74036' },
  'half-open': { glyph: '◑', light: '#742a42', dark: '#bc689f' },
  idle: REST,
};

/** Of a state that has none of its own, the look of one at rest. */
export const lookOf = (status: string): Look => LOOKS[status] ?? REST;

/** The name under which stylesheets know a state's look. */
export const lookName = (status: string): string => (status in LOOKS ? status : 'idle');

/** The custom property that has the colour of a state. */
export const colourOf = (status: string): string => `var(--state-${lookName(status)})`;
