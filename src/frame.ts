/**
 * A text message in the bytes that it came in. In Node, a `Buffer` is that. Whether they are UTF-8 is not known before a text is
 * made of them.
 */
export interface FrameBytes extends Uint8Array {
  latin1Slice(from: number, to: number): string;
  utf8Slice(from: number, to: number): string;
  indexOf(value: number | string, from?: number): number;
}

/** Whether bytes can do that. Node's documentation does not promise it, though every `Buffer` can. */
export const areFrameBytes = (bytes: Uint8Array): bytes is FrameBytes => 'latin1Slice' in bytes && 'utf8Slice' in bytes;

/** A text message, as the platform has it. Where that is bytes, most of what comes twice need not be made a text of. */
export type Frame = string | FrameBytes;

/** The text of a frame; nothing where its bytes are no UTF-8. */
export const textOf = (frame: Frame): string | undefined =>
  typeof frame === 'string' ? frame : textIn(frame, 0, frame.length);

/** What stands where bytes were no UTF-8, unless it was sent as such. */
const REPLACEMENT = '\ufffd';
let strictDecoder: TextDecoder | undefined;

/** The text from one byte of a frame to another; nothing where that is no UTF-8. */
export function textIn(bytes: FrameBytes, from: number, to: number): string | undefined {
  const text = bytes.utf8Slice(from, to);
  // Looking for it in the text takes a fraction of looking at the bytes.
  return text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(from, to)) ? undefined : text;
}

export function isUtf8(bytes: Uint8Array): boolean {
  strictDecoder ??= new TextDecoder('utf-8', { fatal: true });
  try {
    strictDecoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

const encoder = new TextEncoder();

/** Bytes that a text takes as a frame. */
export const bytesIn = (text: string): number => encoder.encode(text).length;

/** A piece of a text, from a place on: in characters, or in bytes where it is in bytes. */
export interface Place {
  readonly text: Frame;
  readonly at: number;
}

/** The memory in which a frame stands, from a place on. It shares that with those that were read together with it. */
export interface FrameMemory {
  readonly view: DataView;
  readonly from: number;
}

let buffer: ArrayBufferLike = new ArrayBuffer(0);
let last: FrameBytes | undefined;
const memory: { view: DataView; from: number } = { view: new DataView(buffer), from: 0 };

/** Where a frame stands, until another one is asked about. What is asked twice is looked up once, for that takes its time. */
export function memoryOf(bytes: FrameBytes): FrameMemory {
  if (bytes === last) return memory;
  last = bytes;
  if (bytes.buffer !== buffer) {
    buffer = bytes.buffer;
    memory.view = new DataView(buffer);
  }
  memory.from = bytes.byteOffset;
  return memory;
}
