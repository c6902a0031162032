/*
 * The part of Proxmox' widget toolkit that the loader and our page touch, written anew after its description. Plain scripts, not modules and not
 * strict: Ext's callParent asks for Function.caller, which strict code hasn't.
 */

window.gettext = (text) => text;

Ext.define("Proxmox.Utils", {
  singleton: true,

  /** Cookie as the login form of PVE sets it, but without Secure: the shell is served without TLS, on this machine only. */
  setAuthData: (data) => {
    Proxmox.UserName = data.username;
    Proxmox.CSRFPreventionToken = data.CSRFPreventionToken;
    Ext.util.Cookies.set(Proxmox.Setup.auth_cookie_name, data.ticket, null, "/", null, false);
  },

  authClear: () => {
    Proxmox.UserName = null;
    Proxmox.CSRFPreventionToken = null;
    Ext.util.Cookies.clear(Proxmox.Setup.auth_cookie_name);
  },

  authOK: () => Boolean(Proxmox.UserName && Ext.util.Cookies.get(Proxmox.Setup.auth_cookie_name)),
});

/** Which object and which tab of each level is shown, in the URL's hash: `#v1:0:<object>:<view>:<tab>:…`, each place `=value` or empty. */
Ext.define("PVE.StateProvider", {
  extend: "Ext.state.LocalStorageProvider",
  places: ["rid", "view", "nodetab", "storagetab", "pooltab", "unused", "kvmtab", "lxctab", "dctab"],

  constructor: function (config) {
    this.callParent([config]);
    this.values = this.read(location.hash);
    window.addEventListener("hashchange", this.follow.bind(this));
  },

  read: function (hash) {
    var parts = decodeURIComponent(hash).split(":").slice(2);
    var values = {};
    this.places.forEach((place, index) => {
      if ((parts[index] || "").charAt(0) === "=") values[place] = parts[index].slice(1);
    });
    return values;
  },

  write: function () {
    var values = this.values;
    var parts = this.places.map((place) => (values[place] === undefined ? "" : `=${encodeURIComponent(values[place])}`));
    this.written = `#v1:0:${parts.join(":").replace(/:+$/, "")}`;
    location.hash = this.written;
  },

  follow: function () {
    if (location.hash === this.written) return;
    this.values = this.read(location.hash);
    this.fireEvent("statechange", this, "rid", this.get("rid"));
  },

  get: function (name, fallback) {
    if (this.places.indexOf(name) < 0) return this.callParent([name, fallback]);
    return this.values[name] === undefined ? fallback : { value: this.values[name] };
  },

  set: function (name, state) {
    if (this.places.indexOf(name) < 0) return this.callParent([name, state]);
    this.values[name] = state.value;
    this.write();
    this.fireEvent("statechange", this, name, state);
  },
});
