import { type IncomingMessage, type RequestOptions, request as requestClear } from 'node:http';
import { request as requestSecure } from 'node:https';
import { INFORMATION_HEADERS, InformationBody, type InformationReader, informationUrl } from './information.ts';
import { publicLookup } from './public-lookup.ts';

const answerOf = (target: URL, options: RequestOptions): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const request = target.protocol === 'https:' ? requestSecure : requestClear;
    request(target, options, resolve).on('error', reject).end();
  });

/** What relays say of themselves, asked for in Node. Names are checked as they are for sockets. */
export const httpInformation: InformationReader = {
  name: 'http',
  async read(url, { allowPrivate, signal }) {
    const lookup = allowPrivate ? {} : { lookup: publicLookup() };
    // Without an agent, no connection is kept for a next time.
    const options = { headers: INFORMATION_HEADERS, signal, agent: false, ...lookup };
    const answer = await answerOf(informationUrl(url), options);
    try {
      if (answer.statusCode !== 200) throw new Error(`it was answered with HTTP ${answer.statusCode}`);
      const body = new InformationBody();
      for await (const piece of answer) body.take(piece as Buffer);
      return body.end();
    } finally {
      answer.destroy();
    }
  },
};
