import { INFORMATION_HEADERS, InformationBody, type InformationReader, informationUrl } from './information.ts';

/** What relays say of themselves, asked for in browsers, as far as relays let pages ask (CORS). */
export const fetchInformation: InformationReader = {
  name: 'fetch',
  async read(url, { signal }) {
    const response = await fetch(informationUrl(url), {
      headers: INFORMATION_HEADERS,
      redirect: 'error',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      signal,
    });
    if (response.status !== 200 || !response.body) throw new Error(`it was answered with HTTP ${response.status}`);
    const body = new InformationBody();
    const reader = response.body.getReader();
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) body.take(next.value);
      return body.end();
    } finally {
      await reader.cancel();
    }
  },
};
