/** Fields whose text comes from guests, users or other programs. */
const named = new Set(
  (
    "name,title,text,detail,pool,lock,user,status,remedy,comment,note,notes,ruleName,kernel,cpuModel,ip,problem,verdict,tags,affected,message," +
    "pveVersion,software,storage,actor,by,reason,log,waiting,content,summary,label,memSource"
  ).split(","),
);
/** The panel looks things up by these. */
const kept = new Set(["code", "realms"]);

/** The same answer, with `text` behind every name, note and message in it. */
export function poisoned<T>(value: T, text: string, isNamed = false): T {
  if (typeof value === "string") return (isNamed ? `${value}${text}` : value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => poisoned(item, text, isNamed)) as T;
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, kept.has(key) ? item : poisoned(item, text, named.has(key))]);
  return Object.fromEntries(entries) as T;
}
