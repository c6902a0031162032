/*
 * Tree, login and frame of the shell, after the description of Proxmox VE's. Not strict: see proxmoxlib.js.
 */

/** `GET /cluster/resources`, again and again while somebody is signed in. */
Ext.define("PVE.data.ResourceStore", {
  singleton: true,
  extend: "Ext.data.Store",
  fields: ["id", "type", "text", "node", "vmid", "storage", "name", "status"],
  everyMs: 3000,

  startUpdate: function () {
    this.stopUpdate();
    this.update();
    this.timer = setInterval(() => {
      this.update();
    }, this.everyMs);
  },

  stopUpdate: function () {
    clearInterval(this.timer);
  },

  update: function () {
    fetch("/api2/json/cluster/resources")
      .then((answer) => (answer.ok ? answer.json() : { data: [] }))
      .then((answer) => {
        if (Proxmox.UserName) this.loadData(answer.data.map(this.readable));
        this.fireEvent("load", this);
      });
  },

  readable: (resource) => {
    var text =
      resource.type === "qemu" || resource.type === "lxc"
        ? `${resource.vmid} (${resource.name})`
        : resource.storage
          ? `${resource.storage} (${resource.node})`
          : resource.node;
    return Ext.apply({ text: text }, resource);
  },
});

/** Datacenter, nodes, and what is on them. Updated in place: a node's record is changed, new ones are added, gone ones removed. */
Ext.define("PVE.tree.ResourceTree", {
  extend: "Ext.tree.Panel",
  alias: "widget.pveResourceTree",
  icons: { node: "building", qemu: "desktop", lxc: "cube", storage: "database" },

  initComponent: function () {
    var fields = ["id", "type", "text", "node", "vmid", "storage", "name", "status"];
    this.store = Ext.create("Ext.data.TreeStore", {
      fields: fields,
      root: { expanded: true, id: "root", text: "Datacenter", type: "root", iconCls: "fa fa-server" },
    });
    this.rootVisible = true;
    this.hideHeaders = true;
    this.columns = [{ xtype: "treecolumn", dataIndex: "text", flex: 1, renderer: Ext.util.Format.htmlEncode }];
    this.callParent();
    PVE.data.ResourceStore.on("load", this.updateTree, this);
  },

  updateTree: function () {
    var root = this.getRootNode();
    var wanted = {};
    PVE.data.ResourceStore.each((record) => {
      wanted[record.get("id")] = record;
    });
    root.cascadeBy((node) => {
      if (node !== root && !wanted[node.get("id")]) Ext.defer(node.remove, 1, node, [true]);
    });
    ["node", "qemu", "lxc", "storage"].forEach((type) => {
      Ext.Object.each(wanted, (_id, record) => {
        if (record.get("type") === type) this.show1(root, record);
      });
    });
  },

  show1: function (root, record) {
    var data = Ext.apply({}, record.data);
    var shown = root.findChild("id", data.id, true);
    if (shown) {
      shown.set({ text: data.text, status: data.status });
      return;
    }
    var parent = data.type === "node" ? root : root.findChild("id", `node/${data.node}`) || root;
    data.iconCls = `fa fa-${this.icons[data.type] || "circle-o"}`;
    data.leaf = data.type !== "node";
    data.expanded = !data.leaf;
    parent.appendChild(data);
  },

  selectResource: function (id) {
    var node = id === "root" ? this.getRootNode() : this.getRootNode().findChild("id", id, true);
    if (node) this.getSelectionModel().select(node);
    return Boolean(node);
  },
});

Ext.define("PVE.window.LoginWindow", {
  extend: "Ext.window.Window",
  title: "Proxmox VE Login (shell)",
  modal: true,
  closable: false,
  width: 340,
  bodyPadding: 10,
  referenceHolder: true,
  defaultButton: "login",

  initComponent: function () {
    this.items = [
      { xtype: "textfield", fieldLabel: gettext("User name"), itemId: "username" },
      { xtype: "textfield", fieldLabel: gettext("Password"), itemId: "password", inputType: "password" },
      { xtype: "component", itemId: "problem", cls: "shell-problem" },
    ];
    this.buttons = [{ text: gettext("Login"), reference: "login", itemId: "login", handler: this.submit, scope: this }];
    this.callParent();
  },

  submit: function () {
    var form = new URLSearchParams({ username: this.down("#username").getValue(), password: this.down("#password").getValue() });
    fetch("/api2/json/access/ticket", { method: "POST", body: form })
      .then((answer) => {
        if (!answer.ok) throw new Error(gettext("Login failed. Please try again"));
        return answer.json();
      })
      .then((answer) => {
        Proxmox.Utils.setAuthData(answer.data);
        this.fireEvent("login", this);
        this.destroy();
      })
      .catch((error) => {
        if (!this.destroyed) this.down("#problem").setHtml(Ext.String.htmlEncode(error.message));
      });
  },
});

Ext.define("PVE.StdWorkspace", {
  extend: "Ext.container.Viewport",
  alias: "widget.pveStdWorkspace",
  layout: "border",
  classOf: {
    root: "PVE.dc.Config",
    node: "PVE.node.Config",
    qemu: "PVE.qemu.Config",
    lxc: "pveLXCConfig",
    storage: "PVE.storage.Browser",
  },

  initComponent: function () {
    Ext.state.Manager.setProvider(Ext.create("PVE.StateProvider"));
    this.items = [
      {
        region: "north",
        xtype: "container",
        cls: "shell-top",
        layout: "hbox",
        items: [
          {
            xtype: "component",
            html: "<b>Shell of a Proxmox VE page</b> (Ext JS, for trying Proven; not Proxmox software)",
            flex: 1,
          },
          {
            xtype: "combobox",
            itemId: "theme",
            width: 130,
            margin: "0 6 0 0",
            editable: false,
            store: [
              ["__default__", "auto"],
              ["crisp", "light"],
              ["proxmox-dark", "dark"],
            ],
            value: Ext.util.Cookies.get("PVEThemeCookie") || "__default__",
            listeners: { select: this.choose("PVEThemeCookie") },
          },
          {
            xtype: "combobox",
            itemId: "language",
            width: 110,
            margin: "0 6 0 0",
            editable: false,
            store: [
              ["en", "English"],
              ["it", "Italiano"],
            ],
            value: Ext.util.Cookies.get("PVELangCookie") || "en",
            listeners: { select: this.choose("PVELangCookie") },
          },
          { xtype: "button", itemId: "logout", text: gettext("Logout"), handler: this.logout, scope: this },
        ],
      },
      {
        region: "west",
        xtype: "pveResourceTree",
        itemId: "tree",
        width: 260,
        split: true,
        listeners: { selectionchange: this.onSelected, scope: this },
      },
      { region: "center", xtype: "container", itemId: "content", layout: "fit" },
    ];
    this.callParent();
    PVE.data.ResourceStore.on("load", this.selectSaved, this);
    Ext.state.Manager.getProvider().on("statechange", this.onState, this);
    if (Proxmox.Utils.authOK()) PVE.data.ResourceStore.startUpdate();
    else this.showLogin();
  },

  /** As Proxmox VE does: the cookie is set and the page loaded anew. */
  choose: (cookie) => (field) => {
    if (field.getValue() === "__default__") Ext.util.Cookies.clear(cookie);
    else Ext.util.Cookies.set(cookie, field.getValue(), null, "/");
    location.reload();
  },

  selectSaved: function () {
    var tree = this.down("#tree");
    if (!Proxmox.UserName || tree.getSelectionModel().hasSelection()) return;
    var saved = Ext.state.Manager.get("rid");
    if (!(saved && tree.selectResource(saved.value))) tree.selectResource("root");
  },

  onState: function (_provider, name, state) {
    var tree = this.down("#tree");
    if (name === "rid" && state && PVE.curSelectedNode && PVE.curSelectedNode.data.id !== state.value)
      tree.selectResource(state.value);
  },

  onSelected: function (_model, records) {
    var node = records[0];
    if (!node) return;
    PVE.curSelectedNode = node;
    var content = this.down("#content");
    content.removeAll(true);
    Ext.state.Manager.set("rid", { value: node.data.id });
    var name = this.classOf[node.data.type] || "PVE.pool.Config";
    content.add(
      Ext.create(Ext.ClassManager.getByAlias(`widget.${name}`) || name, { pveSelNode: node, workspace: this, border: false }),
    );
  },

  /** The page stays loaded: the content goes, the tree is emptied, the login is shown. */
  logout: function () {
    PVE.data.ResourceStore.stopUpdate();
    Proxmox.Utils.authClear();
    this.down("#content").removeAll(true);
    PVE.curSelectedNode = null;
    this.down("#tree").getSelectionModel().deselectAll(true);
    PVE.data.ResourceStore.removeAll();
    PVE.data.ResourceStore.fireEvent("load", PVE.data.ResourceStore);
    this.showLogin();
  },

  showLogin: () => {
    Ext.create("PVE.window.LoginWindow", {
      listeners: {
        login: () => {
          PVE.data.ResourceStore.startUpdate();
        },
      },
    }).show();
  },
});
