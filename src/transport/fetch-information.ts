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
    const reader = response.body?.getReader();
    try {
      if (response.status !== 200 || !reader) throw new Error(`it was answered with HTTP ${response.status}`);
      const body = new InformationBody();
      for (let next = await reader.read(); !next.done; next = await reader.read()) body.take(next.value);
      return body.end();
    } finally {
      // What is not read would keep the connection.
      await reader?.cancel();
    }
  },
};
