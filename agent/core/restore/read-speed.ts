/** How fast a disk is read, measured by what nearly every Linux has, guest or node: lsblk, dd and, for random reads, Python. */

/** Largest whole disk of `lsblk -dnbo NAME,SIZE,TYPE`, as a device path; undefined: none. */
export function largestDisk(output: string): string | undefined {
  const disks = output.split("\n").flatMap((line) => {
    const [name, size, type] = line.trim().split(/\s+/);
    return name !== undefined && type === "disk" && /^[a-z0-9]+$/.test(name) ? [{ name, size: Number(size) }] : [];
  });
  const largest = disks.sort((a, b) => b.size - a.size)[0];
  return largest === undefined ? undefined : `/dev/${largest.name}`;
}

/** Straight from the disk, past the cache. */
export const sequentialCommand = (device: string) => ["dd", `if=${device}`, "of=/dev/null", "bs=1M", "count=256", "iflag=direct"];

/** Bytes per second, from the last line of dd: `268435456 bytes (268 MB, 256 MiB) copied, 0.53 s, 506 MB/s`. */
export function ddSpeed(stderr: string): number | undefined {
  const match = /^(\d{1,18}) bytes .*copied, ([\d.]{1,20}) s/m.exec(stderr);
  const seconds = Number(match?.[2]);
  return match === null || !(seconds > 0) ? undefined : Math.round(Number(match[1]) / seconds);
}

const randomReader = `import mmap,os,random,sys,time
fd=os.open(sys.argv[1],os.O_RDONLY|os.O_DIRECT)
size=os.lseek(fd,0,os.SEEK_END)//4096
buf=mmap.mmap(-1,4096)
end=time.time()+3
n=0
start=time.time()
while time.time()<end:
    os.preadv(fd,[buf],random.randrange(size)*4096)
    n+=1
print(int(n/(time.time()-start)))`;

export const randomCommand = (device: string) => ["python3", "-c", randomReader, device];

/** 4 KiB reads per second that the reader counted. */
export function readsPerSecond(stdout: string): number | undefined {
  const text = stdout.trim();
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
