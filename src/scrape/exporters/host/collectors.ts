/**
 * One function per area of the host, reading /proc and /sys and writing node_exporter's metric names and labels. An
 * area the kernel does not offer throws ENOENT, which the exporter reports as "no data", not as a failure.
 */
import { readdir, readFile, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { ExpositionWriter } from './exposition-writer.ts';

export interface HostPaths {
  readonly proc: string;
  readonly sys: string;
}
export interface CollectContext extends HostPaths {
  readonly out: ExpositionWriter;
  readonly nowMs: number;
}
export type Collector = (c: CollectContext) => Promise<void>;

/** Kernel clock ticks a second in /proc/stat; fixed for user space on Linux. */
const TICKS = 100;
const SECTOR_BYTES = 512;
/** A file system that does not answer (a dead network mount) is given up after this many are pending. */
const MOUNTS_MAX = 1_000;
const IGNORED_DEVICES = /^(z?ram|loop|fd|(h|s|v|xv)d[a-z]+|nvme\d+n\d+p)\d+$/;
const IGNORED_MOUNTS =
  /^\/(dev|proc|run\/credentials\/.+|sys|var\/lib\/docker\/.+|var\/lib\/containers\/storage\/.+)($|\/)/;
const IGNORED_TYPES =
  /^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$/;
const VMSTAT_FIELDS = /^(oom_kill|pgpg|pswp|pg.*fault).*/;
const NETSTAT_FIELDS =
  /^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$/;

const read = (...parts: string[]): Promise<string> => readFile(path.join(...parts), 'utf8');
const lines = (text: string): string[] => text.split('\n').filter((l) => l !== '');
const fields = (line: string): string[] => line.trim().split(/\s+/);
const metricPart = (text: string): string => text.replace(/[^a-zA-Z0-9_]/g, '_');

const cpu: Collector = async ({ proc, out }) => {
  const modes = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'];
  for (const line of lines(await read(proc, 'stat'))) {
    const [name = '', ...values] = fields(line);
    const m = /^cpu(\d+)$/.exec(name);
    if (!m) continue;
    modes.forEach((mode, i) => {
      out.counter('node_cpu_seconds_total', 'Seconds the CPUs spent in each mode.', Number(values[i] ?? 0) / TICKS, {
        cpu: m[1]!,
        mode,
      });
    });
    for (const [mode, i] of [
      ['user', 8],
      ['nice', 9],
    ] as const)
      out.counter(
        'node_cpu_guest_seconds_total',
        'Seconds the CPUs spent in guests (VMs) for each mode.',
        Number(values[i] ?? 0) / TICKS,
        { cpu: m[1]!, mode },
      );
  }
};

const stat: Collector = async ({ proc, out }) => {
  const names: Record<string, readonly [string, string, boolean]> = {
    intr: ['node_intr_total', 'Interrupts serviced.', true],
    ctxt: ['node_context_switches_total', 'Context switches.', true],
    processes: ['node_forks_total', 'Forks.', true],
    btime: ['node_boot_time_seconds', 'Boot time, in unixtime.', false],
    procs_running: ['node_procs_running', 'Processes in runnable state.', false],
    procs_blocked: ['node_procs_blocked', 'Processes blocked waiting for I/O.', false],
  };
  for (const line of lines(await read(proc, 'stat'))) {
    const [name = '', value] = fields(line);
    const known = Object.hasOwn(names, name) ? names[name] : undefined;
    if (known) out.add(known[0], known[2] ? 'counter' : 'gauge', known[1], Number(value));
  }
};

const meminfo: Collector = async ({ proc, out }) => {
  for (const line of lines(await read(proc, 'meminfo'))) {
    const [name = '', value, unit] = fields(line);
    const key = metricPart(name.replace(/:$/, '').replace(/\((.*)\)/, '_$1'));
    const kb = unit === 'kB';
    out.gauge(
      `node_memory_${key}${kb ? '_bytes' : ''}`,
      `Memory information field ${key}${kb ? '_bytes' : ''}.`,
      Number(value) * (kb ? 1024 : 1),
    );
  }
};

const loadavg: Collector = async ({ proc, out }) => {
  const values = fields(await read(proc, 'loadavg'));
  [1, 5, 15].forEach((minutes, i) => {
    out.gauge(`node_load${minutes}`, `${minutes}m load average.`, Number(values[i]));
  });
};

const diskstats: Collector = async ({ proc, out }) => {
  const columns: readonly (readonly [string, string, number])[] = [
    ['reads_completed_total', 'Reads completed.', 1],
    ['reads_merged_total', 'Reads merged.', 1],
    ['read_bytes_total', 'Bytes read.', SECTOR_BYTES],
    ['read_time_seconds_total', 'Seconds spent by all reads.', 1e-3],
    ['writes_completed_total', 'Writes completed.', 1],
    ['writes_merged_total', 'Writes merged.', 1],
    ['written_bytes_total', 'Bytes written.', SECTOR_BYTES],
    ['write_time_seconds_total', 'Seconds spent by all writes.', 1e-3],
    ['io_now', 'I/Os in progress.', 1],
    ['io_time_seconds_total', 'Seconds spent doing I/Os.', 1e-3],
    ['io_time_weighted_seconds_total', 'Weighted seconds spent doing I/Os.', 1e-3],
    ['discards_completed_total', 'Discards completed.', 1],
    ['discards_merged_total', 'Discards merged.', 1],
    ['discarded_sectors_total', 'Sectors discarded.', 1],
    ['discard_time_seconds_total', 'Seconds spent by all discards.', 1e-3],
    ['flush_requests_total', 'Flush requests completed.', 1],
    ['flush_requests_time_seconds_total', 'Seconds spent by all flush requests.', 1e-3],
  ];
  for (const line of lines(await read(proc, 'diskstats'))) {
    const [major = '', minor = '', device = '', ...values] = fields(line);
    if (IGNORED_DEVICES.test(device)) continue;
    out.gauge('node_disk_info', 'Info of /sys/block/<block_device>.', 1, { device, major, minor });
    columns.forEach(([name, help, factor], i) => {
      if (values[i] === undefined) return;
      const value = Number(values[i]);
      // division keeps what multiplication by 0.001 would blur
      out.add(
        `node_disk_${name}`,
        name === 'io_now' ? 'gauge' : 'counter',
        help,
        factor === 1e-3 ? value / 1000 : value * factor,
        { device },
      );
    });
  }
};

const filesystem: Collector = async ({ proc, out }) => {
  const text = await read(proc, '1/mounts').catch(() => read(proc, 'self/mounts'));
  const seen = new Set<string>();
  const decode = (s: string): string =>
    s.replace(/\\([0-7]{3})/g, (_, o: string) => String.fromCharCode(Number.parseInt(o, 8)));
  for (const line of lines(text).slice(0, MOUNTS_MAX)) {
    const [device = '', rawMount = '', fstype = '', options = ''] = fields(line);
    const mountpoint = decode(rawMount);
    if (IGNORED_MOUNTS.test(mountpoint) || IGNORED_TYPES.test(fstype)) continue;
    const labels = { device: decode(device), fstype, mountpoint };
    const key = Object.values(labels).join('\0');
    if (seen.has(key)) continue;
    seen.add(key);
    const readonly = options.split(',').includes('ro') ? 1 : 0;
    const stats = await statfs(mountpoint).catch(() => undefined);
    out.gauge(
      'node_filesystem_device_error',
      'Whether an error occurred while getting statistics for the given device.',
      stats ? 0 : 1,
      labels,
    );
    if (!stats) continue;
    out.gauge('node_filesystem_readonly', 'Filesystem read-only status.', readonly, labels);
    out.gauge('node_filesystem_size_bytes', 'Filesystem size in bytes.', stats.blocks * stats.bsize, labels);
    out.gauge('node_filesystem_free_bytes', 'Filesystem free space in bytes.', stats.bfree * stats.bsize, labels);
    out.gauge(
      'node_filesystem_avail_bytes',
      'Filesystem space available to non-root users in bytes.',
      stats.bavail * stats.bsize,
      labels,
    );
    out.gauge('node_filesystem_files', 'Filesystem total file nodes.', stats.files, labels);
    out.gauge('node_filesystem_files_free', 'Filesystem total free file nodes.', stats.ffree, labels);
  }
};

const netdev: Collector = async ({ proc, out }) => {
  const [, header = '', ...rows] = lines(await read(proc, 'net/dev'));
  const [, receive = '', transmit = ''] = header.split('|');
  const columns = [...fields(receive).map((n) => `receive_${n}`), ...fields(transmit).map((n) => `transmit_${n}`)];
  for (const row of rows) {
    const colon = row.lastIndexOf(':');
    const device = row.slice(0, colon).trim();
    fields(row.slice(colon + 1)).forEach((value, i) => {
      out.counter(`node_network_${columns[i]}_total`, `Network device statistic ${columns[i]}.`, Number(value), {
        device,
      });
    });
  }
};

const netclass: Collector = async ({ sys, out }) => {
  const base = path.join(sys, 'class/net');
  for (const device of await readdir(base)) {
    const value = async (name: string): Promise<string> => (await read(base, device, name).catch(() => '')).trim();
    const [state, mtu, carrier, speed] = await Promise.all(['operstate', 'mtu', 'carrier', 'speed'].map(value));
    if (state === '') continue; // not a device: bonding_masters and the like
    out.gauge('node_network_up', "Value is 1 if operstate is 'up', 0 otherwise.", state === 'up' ? 1 : 0, { device });
    if (mtu) out.gauge('node_network_mtu_bytes', 'Network device property: mtu.', Number(mtu), { device });
    if (carrier) out.gauge('node_network_carrier', 'Network device property: carrier.', Number(carrier), { device });
    if (speed && Number(speed) >= 0)
      out.gauge('node_network_speed_bytes', 'Network device property: speed.', Number(speed) * 125_000, { device });
  }
};

const pressure: Collector = async ({ proc, out }) => {
  for (const resource of ['cpu', 'io', 'memory'] as const) {
    for (const line of lines(await read(proc, 'pressure', resource))) {
      const m = /^(some|full) .*total=(\d+)/.exec(line);
      if (!m || (resource === 'cpu' && m[1] === 'full')) continue;
      const name = m[1] === 'some' ? 'waiting' : 'stalled';
      out.counter(
        `node_pressure_${resource}_${name}_seconds_total`,
        `Seconds that processes were ${name} for ${resource}.`,
        Number(m[2]) / 1e6,
      );
    }
  }
};

const vmstat: Collector = async ({ proc, out }) => {
  for (const line of lines(await read(proc, 'vmstat'))) {
    const [name = '', value] = fields(line);
    if (VMSTAT_FIELDS.test(name))
      out.add(`node_vmstat_${name}`, 'untyped', `/proc/vmstat information field ${name}.`, Number(value));
  }
};

const processes: Collector = async ({ proc, out }) => {
  const states = new Map<string, number>();
  let pids = 0;
  let threads = 0;
  for (const entry of await readdir(proc)) {
    if (!/^\d+$/.test(entry)) continue;
    const text = await read(proc, entry, 'stat').catch(() => ''); // it may have ended meanwhile
    const rest = fields(text.slice(text.lastIndexOf(')') + 1));
    if (rest.length < 18) continue;
    pids++;
    threads += Number(rest[17]);
    states.set(rest[0]!, (states.get(rest[0]!) ?? 0) + 1);
  }
  out.gauge('node_processes_pids', 'Number of PIDs.', pids);
  out.gauge('node_processes_threads', 'Allocated threads in system.', threads);
  for (const [state, count] of states)
    out.gauge('node_processes_state', 'Number of processes in each state.', count, { state });
  out.gauge(
    'node_processes_max_processes',
    'Number of max PIDs limit.',
    Number(await read(proc, 'sys/kernel/pid_max')),
  );
  out.gauge(
    'node_processes_max_threads',
    'Limit of threads in the system.',
    Number(await read(proc, 'sys/kernel/threads-max')),
  );
};

const uname: Collector = async ({ proc, out }) => {
  const domain = (await read(proc, 'sys/kernel/domainname').catch(() => '(none)')).trim();
  out.gauge('node_uname_info', 'Labeled system information as provided by the uname system call.', 1, {
    domainname: domain,
    machine: os.machine(),
    nodename: os.hostname(),
    release: os.release(),
    sysname: os.type(),
    version: os.version(),
  });
};

const time: Collector = async ({ out, nowMs }) =>
  out.gauge('node_time_seconds', 'System time in seconds since epoch (1970).', nowMs / 1000);

const filefd: Collector = async ({ proc, out }) => {
  const [allocated, , maximum] = fields(await read(proc, 'sys/fs/file-nr'));
  out.gauge('node_filefd_allocated', 'File descriptor statistics: allocated.', Number(allocated));
  out.gauge('node_filefd_maximum', 'File descriptor statistics: maximum.', Number(maximum));
};

const entropy: Collector = async ({ proc, out }) => {
  out.gauge(
    'node_entropy_available_bits',
    'Bits of available entropy.',
    Number(await read(proc, 'sys/kernel/random/entropy_avail')),
  );
  out.gauge(
    'node_entropy_pool_size_bits',
    'Bits of entropy pool.',
    Number(await read(proc, 'sys/kernel/random/poolsize')),
  );
};

const sockstat: Collector = async ({ proc, out }) => {
  const page = 4096;
  for (const file of ['net/sockstat', 'net/sockstat6']) {
    const text = file.endsWith('6') ? await read(proc, file).catch(() => '') : await read(proc, file);
    for (const line of lines(text)) {
      const [protocol, ...pairs] = fields(line.replace(':', ''));
      for (let i = 0; i + 1 < pairs.length; i += 2) {
        const name = `node_sockstat_${protocol}_${pairs[i]}`;
        out.gauge(name, `Number of ${protocol} sockets in state ${pairs[i]}.`, Number(pairs[i + 1]));
        if (pairs[i] === 'mem')
          out.gauge(`${name}_bytes`, `Bytes of ${protocol} sockets in state mem.`, Number(pairs[i + 1]) * page);
      }
    }
  }
};

const netstat: Collector = async ({ proc, out }) => {
  const emit = (protocol: string, name: string, value: string): void => {
    const key = `${protocol}_${name}`;
    if (NETSTAT_FIELDS.test(key))
      out.add(`node_netstat_${key}`, 'untyped', `Statistic ${protocol}${name}.`, Number(value));
  };
  for (const file of ['net/netstat', 'net/snmp']) {
    const all = lines(await read(proc, file));
    for (let i = 0; i + 1 < all.length; i += 2) {
      const [protocol = '', ...names] = fields(all[i]!);
      const [, ...values] = fields(all[i + 1]!);
      for (const [j, name] of names.entries()) emit(protocol.replace(':', ''), name, values[j]!);
    }
  }
  for (const line of lines(await read(proc, 'net/snmp6').catch(() => ''))) {
    const [name = '', value = ''] = fields(line);
    const six = name.indexOf('6');
    if (six > 0) emit(name.slice(0, six + 1), name.slice(six + 1), value);
  }
};

const thermal: Collector = async ({ sys, out }) => {
  const base = path.join(sys, 'class/thermal');
  for (const zone of await readdir(base)) {
    const m = /^thermal_zone(\d+)$/.exec(zone);
    if (!m) continue;
    const type = (await read(base, zone, 'type')).trim();
    const temp = Number(await read(base, zone, 'temp').catch(() => 'NaN'));
    out.gauge('node_thermal_zone_temp', 'Zone temperature in Celsius.', temp / 1000, { zone: m[1]!, type });
  }
};

const hwmon: Collector = async ({ sys, out }) => {
  const base = path.join(sys, 'class/hwmon');
  for (const dir of await readdir(base)) {
    const name = (await read(base, dir, 'name').catch(() => dir)).trim();
    const chip = metricPart(name);
    for (const file of await readdir(path.join(base, dir))) {
      const m = /^(temp\d+)_input$/.exec(file);
      if (!m) continue;
      const value = Number(await read(base, dir, file).catch(() => 'NaN'));
      out.gauge('node_hwmon_temp_celsius', 'Hardware monitor for temperature (input).', value / 1000, {
        chip,
        sensor: m[1]!,
      });
    }
  }
};

export const COLLECTORS: Readonly<Record<string, Collector>> = {
  cpu,
  diskstats,
  entropy,
  filefd,
  filesystem,
  hwmon,
  loadavg,
  meminfo,
  netclass,
  netdev,
  netstat,
  pressure,
  processes,
  sockstat,
  stat,
  thermal,
  time,
  uname,
  vmstat,
};
