/**
 * Keeps addresses that tenants give from reaching the inside of the network. A name is resolved once, every answer is
 * judged, and the connection is made to the judged address itself, so that a second answer of the name server cannot
 * change the target. Operators' own addresses do not pass here.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { messageOf, VigieError } from './errors.ts';

/** Loopback, private, link-local (cloud metadata among them), shared, multicast, documentation and reserved ranges. */
const INTERNAL_RANGES = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/127',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
] as const;

export interface PinnedAddress {
  readonly host: string;
  readonly address: string;
  readonly family: 4 | 6;
  /** For `http.request({ lookup })`: answers the judged address and nothing else. */
  readonly lookup: LookupFunction;
}

/** Judges a host name or address. Throws `address_refused`, or `unavailable` when the name does not resolve. */
export type AddressGuard = (host: string) => Promise<PinnedAddress>;

export interface AddressGuardOptions {
  /** Ranges in CIDR notation that are allowed although internal. */
  readonly allow?: readonly string[];
  readonly resolve?: (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;
}

export function createAddressGuard(options: AddressGuardOptions = {}): AddressGuard {
  const internal = blockList(INTERNAL_RANGES);
  const allowed = blockList(options.allow ?? []);
  const resolve = options.resolve ?? ((host: string) => systemLookup(host, { all: true, verbatim: true }));
  return async (rawHost) => {
    const host = rawHost.replace(/^\[(.*)\]$/, '$1');
    let answers: readonly { readonly address: string; readonly family: number }[];
    try {
      answers = isIP(host) ? [{ address: host, family: isIP(host) }] : await resolve(host);
    } catch (cause) {
      throw new VigieError('unavailable', `the name ${JSON.stringify(host)} does not resolve: ${messageOf(cause)}`, {
        cause,
      });
    }
    const first = answers[0];
    if (!first) throw new VigieError('unavailable', `the name ${JSON.stringify(host)} resolves to no address`);
    for (const { address } of answers) {
      const plain = unmapped(address);
      const kind = isIP(plain) === 4 ? 'ipv4' : 'ipv6';
      if (isIP(plain) === 0 || (internal.check(plain, kind) && !allowed.check(plain, kind)))
        throw new VigieError(
          'address_refused',
          `${JSON.stringify(host)} points to ${address}, inside the network of the server`,
        );
    }
    const family = first.family === 6 ? 6 : 4;
    return { host, address: first.address, family, lookup: pin(first.address, family) };
  };
}

/** A `lookup` that always answers `address`. */
function pin(address: string, family: 4 | 6): LookupFunction {
  return (_host, options, callback) => {
    if (options.all) (callback as unknown as (e: null, a: object[]) => void)(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

/** `::ffff:10.0.0.1` and its hexadecimal spelling are IPv4 addresses in disguise. */
function unmapped(address: string): string {
  const bare = address.split('%')[0]!;
  const dotted = /^::ffff:(?:0:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(bare);
  if (dotted) return dotted[1]!;
  const hex = /^(?:::|(?:0+:){5})ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(bare);
  if (!hex) return bare;
  const [high, low] = [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network, bits] = range.split('/');
    const family = isIP(network ?? '');
    const prefix = Number(bits ?? (family === 4 ? 32 : 128));
    if (family === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > (family === 4 ? 32 : 128))
      throw new VigieError('bad_config', `not an address range in CIDR notation: ${JSON.stringify(range)}`);
    list.addSubnet(network!, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
