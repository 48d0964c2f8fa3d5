import { parseArgs } from 'node:util';
import { createInspector } from '../inspect/index.ts';
import { interrupted, portOf, remark, say, type Verb } from './arguments.ts';

export const inspect: Verb = {
  usage: `inspect [--port N] [--origin ORIGIN…]
    Serves the inspector's page for any XState 5 application on this machine, and prints its address and the two lines to
    paste into the application. Web applications that are not from this machine need their --origin. Ends with Ctrl-C.`,
  async run(args) {
    const { values } = parseArgs({
      args,
      options: { port: { type: 'string' }, origin: { type: 'string', multiple: true } },
    });
    const port = portOf(values.port);
    const inspector = await createInspector({ port, origins: values.origin });
    say(inspector.url);
    remark(`
Install @statelyai/inspect in an XState 5 application, and paste

  const { inspect } = createWebSocketInspector({ url: '${inspector.applicationUrl}' }); // from '@statelyai/inspect'
  createActor(machine, { inspect }).start();
`);
    await interrupted();
    await inspector.stop();
    return 0;
  },
};
