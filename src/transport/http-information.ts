import { request as requestClear } from 'node:http';
import { request as requestSecure } from 'node:https';
import { INFORMATION_HEADERS, InformationBody, type InformationReader, informationUrl } from './information.ts';
import { publicLookup } from './public-lookup.ts';

/** What relays say of themselves, asked for in Node. Names are checked as they are for sockets. */
export const httpInformation: InformationReader = {
  name: 'http',
  read: (url, { allowPrivate, signal }) =>
    new Promise((resolve, reject) => {
      const target = informationUrl(url);
      const request = target.protocol === 'https:' ? requestSecure : requestClear;
      const options = { headers: INFORMATION_HEADERS, signal, ...(allowPrivate ? {} : { lookup: publicLookup }) };
      const asked = request(target, options, (response) => {
        const body = new InformationBody();
        const fail = (error: unknown): void => {
          response.destroy();
          reject(error);
        };
        if (response.statusCode !== 200) return fail(new Error(`it was answered with HTTP ${response.statusCode}`));
        response.on('data', (piece: Buffer) => {
          try {
            body.take(piece);
          } catch (error) {
            fail(error);
          }
        });
        response.on('end', () => {
          try {
            resolve(body.end());
          } catch (error) {
            reject(error);
          }
        });
        response.on('error', reject);
      });
      asked.on('error', reject);
      asked.end();
    }),
};
