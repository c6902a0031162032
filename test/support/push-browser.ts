import { createDecipheriv, createECDH, type ECDH, hkdfSync, randomBytes } from "node:crypto";
import type { Subscription } from "../../hub/senders/web-push.ts";

/** A browser: its keys, and what it makes of what its push service got (RFC 8188 and RFC 8291). */
export class PushBrowser {
  private readonly ecdh: ECDH = createECDH("prime256v1");
  private readonly auth = randomBytes(16);
  readonly subscription: Subscription;

  constructor(id: string, endpoint: string) {
    this.ecdh.generateKeys();
    const keys = { p256dh: this.ecdh.getPublicKey().toString("base64url"), auth: this.auth.toString("base64url") };
    this.subscription = { id, subscription: { endpoint, keys } };
  }

  read(body: Buffer): Record<string, unknown> {
    const [salt, keyLength] = [body.subarray(0, 16), body[20] ?? 0];
    const sender = body.subarray(21, 21 + keyLength);
    const info = Buffer.concat([Buffer.from("WebPush: info\0"), this.ecdh.getPublicKey(), sender]);
    const secret = Buffer.from(hkdfSync("sha256", this.ecdh.computeSecret(sender), this.auth, info, 32));
    const key = Buffer.from(hkdfSync("sha256", secret, salt, "Content-Encoding: aes128gcm\0", 16));
    const nonce = Buffer.from(hkdfSync("sha256", secret, salt, "Content-Encoding: nonce\0", 12));
    const sealed = body.subarray(21 + keyLength);
    const decipher = createDecipheriv("aes-128-gcm", key, nonce);
    decipher.setAuthTag(sealed.subarray(-16));
    const open = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
    return JSON.parse(open.subarray(0, open.lastIndexOf(2)).toString());
  }
}
