/** Ranges of IANA's special-purpose registries (RFC 6890) that no public relay has: `[network, prefix length]`. */
const PRIVATE_IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];

const LOCAL_NAMES = ['localhost', 'local', 'internal', 'home.arpa'];

function ipv4Number(address: string): number | undefined {
  const parts = address.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

function isPrivateIpv4(value: number): boolean {
  return PRIVATE_IPV4.some(([network, length]) => {
    const size = 2 ** (32 - length);
    return Math.floor(value / size) === Math.floor((ipv4Number(network) ?? 0) / size);
  });
}

function ipv6Groups(address: string): readonly number[] | undefined {
  const text = address.split('%', 1)[0] ?? '';
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const ipv4 = dotted?.[2] === undefined ? undefined : ipv4Number(dotted[2]);
  if (dotted && ipv4 === undefined) return undefined;
  const hex = dotted
    ? `${dotted[1]}${Math.floor((ipv4 ?? 0) / 65536).toString(16)}:${((ipv4 ?? 0) % 65536).toString(16)}`
    : text;
  const halves = hex.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : undefined;
}

function isPrivateIpv6(groups: readonly number[]): boolean {
  const [first = 0, second = 0] = groups;
  const embedded = (groups[6] ?? 0) * 65536 + (groups[7] ?? 0);
  const leadingZeros = groups.slice(0, 5).every((group) => group === 0);
  // Unspecified, loopback, IPv4-compatible and IPv4-mapped addresses, and NAT64 of RFC 6052 and RFC 8215.
  if (leadingZeros && (groups[5] === 0 || groups[5] === 0xffff)) return embedded <= 1 || isPrivateIpv4(embedded);
  if (first === 0x64 && second === 0xff9b) return groups[2] !== 0 || isPrivateIpv4(embedded);
  // 6to4 carries an IPv4 address in its second and third group.
  if (first === 0x2002) return isPrivateIpv4(second * 65536 + (groups[2] ?? 0));
  // Everything that is routed publicly today is in 2000::/3; documentation and Teredo ranges within it are not relays.
  if (first < 0x2000 || first > 0x3fff) return true;
  return first === 0x2001 && (second === 0xdb8 || second < 0x200);
}

/** Whether an IP address is loopback, private, link-local, reserved or otherwise not on the public Internet. */
export function isPrivateAddress(address: string): boolean {
  const ipv4 = ipv4Number(address);
  if (ipv4 !== undefined) return isPrivateIpv4(ipv4);
  const groups = ipv6Groups(address);
  return groups === undefined || isPrivateIpv6(groups);
}

/** Whether a host of a parsed URL is private: an address as above, or a name that is local by convention. */
export function isPrivateHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return isPrivateAddress(hostname.slice(1, -1));
  if (ipv4Number(hostname) !== undefined) return isPrivateAddress(hostname);
  return !hostname.includes('.') || LOCAL_NAMES.some((name) => hostname === name || hostname.endsWith(`.${name}`));
}

/** Whether a host of a parsed URL is this machine, whatever a name server says. */
export const isLoopbackHost = (hostname: string): boolean =>
  hostname === 'localhost' ||
  hostname.endsWith('.localhost') ||
  hostname === '[::1]' ||
  (ipv4Number(hostname) ?? 0) >>> 24 === 127;
