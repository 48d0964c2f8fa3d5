/** A text message in the bytes that it came in: UTF-8 that has been checked. In Node, a `Buffer` is that. */
export interface FrameBytes extends Uint8Array {
  latin1Slice(from: number, to: number): string;
  utf8Slice(from: number, to: number): string;
  indexOf(value: number | string, from?: number): number;
}

/** Whether bytes can do that. Node's documentation does not promise it, though every `Buffer` can. */
export const areFrameBytes = (bytes: Uint8Array): bytes is FrameBytes => 'latin1Slice' in bytes && 'utf8Slice' in bytes;

/** A text message, as the platform has it. Where that is bytes, most of what comes twice need not be made a text of. */
export type Frame = string | FrameBytes;

export const textOf = (frame: Frame): string => (typeof frame === 'string' ? frame : frame.utf8Slice(0, frame.length));

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
