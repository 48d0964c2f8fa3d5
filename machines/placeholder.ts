import { type EventObject, fromCallback, type NonReducibleUnknown } from 'xstate';

/** A part that a chart needs and that only the application or `recloser` itself can give. Its message is the fix. */
function missing(what: string, where: string): Error {
  return new Error(
    `The bare ${where} chart has no ${what}. Use the machine that "recloser" exports, or give it one: ` +
      `machine.provide({ ${what} }).`,
  );
}

/** An actor that fails as soon as it is started, with the fix in its message. */
export const missingActor = <Event extends EventObject, Input extends NonReducibleUnknown>(
  name: string,
  where: string,
) =>
  fromCallback<Event, Input>(() => {
    throw missing(`actors: { ${name} }`, where);
  });

/** An action that fails as soon as it runs, with the fix in its message. */
export const missingAction = (name: string, where: string) => (): void => {
  throw missing(`actions: { ${name} }`, where);
};
