/*
 * A minimal re-creation of the classes of Proxmox VE's page that the loader touches, written anew after their description (names, itemIds, life
 * of a card, order of events), not copied. Not strict: see proxmoxlib.js.
 */

/** Left a list of tabs, right the chosen one. A card is made when it is chosen and destroyed when another one is. */
Ext.define("PVE.panel.Config", {
  extend: "Ext.panel.Panel",
  alias: "widget.pvePanelConfig",
  layout: "fit",

  initComponent: function () {
    var items = this.items || [];
    delete this.items;
    this.savedItems = {};
    this.sp = Ext.state.Manager.getProvider();
    this.store = Ext.create("Ext.data.TreeStore", { root: { expanded: true } });
    this.dockedItems = [
      {
        xtype: "container",
        dock: "left",
        cls: "shell-tabs",
        width: 150,
        scrollable: "y",
        items: [
          {
            xtype: "treelist",
            store: this.store,
            expanderOnly: true,
            listeners: { selectionchange: this.onChosen, scope: this },
          },
        ],
      },
    ];
    this.callParent();
    this.insertNodes(items);
    var saved = this.sp.get(this.hstateid);
    var first = this.store.getRoot().firstChild;
    if (!(saved && this.selectById(saved.value)) && first) this.selectById(first.get("id"));
  },

  insertNodes: function (items) {
    items.forEach((item) => {
      if (this.savedItems[item.itemId]) throw new Error(`duplicate itemId ${item.itemId}`);
      this.savedItems[item.itemId] = item;
      var parent = this.store.getRoot();
      (item.groups || []).forEach((group) => {
        parent = parent.findChild("id", group) || parent;
      });
      if (item.hidden) return;
      parent.set("leaf", false);
      parent.appendChild({ id: item.itemId, text: item.title, iconCls: item.iconCls, leaf: true });
    });
  },

  selectById: function (id) {
    var node = this.store.getNodeById(id);
    if (!node) return false;
    this.down("treelist").setSelection(node);
    return true;
  },

  onChosen: function (_list, node) {
    if (!node) return;
    this.activateCard(node.get("id"));
    this.sp.set(this.hstateid, { value: node.get("id") });
  },

  activateCard: function (id) {
    if (!this.savedItems[id] || (this.activeCard && this.activeCard.itemId === id)) return;
    if (this.activeCard) this.remove(this.activeCard, true);
    var defaults = { pveSelNode: this.pveSelNode, viewFilter: this.viewFilter, workspace: this.workspace, border: 0 };
    this.activeCard = this.add(Ext.apply(defaults, this.savedItems[id]));
  },
});

Ext.define("PVE.ShellPage", {
  extend: "Ext.panel.Panel",
  alias: "widget.shellPage",
  bodyPadding: 10,
  html: "",
});

/** The figures of a guest; extensions put a strip above them. */
Ext.define("PVE.guest.Summary", {
  extend: "Ext.panel.Panel",
  alias: "widget.pveGuestSummary",
  scrollable: true,
  bodyPadding: 5,

  initComponent: function () {
    var data = this.pveSelNode.data;
    this.items = [
      {
        xtype: "container",
        itemId: "itemcontainer",
        layout: "column",
        items: [
          {
            xtype: "panel",
            title: Ext.String.htmlEncode(data.name || ""),
            columnWidth: 0.5,
            height: 200,
            margin: 5,
            bodyPadding: 10,
            html: `Status: ${data.status}`,
          },
          { xtype: "panel", title: gettext("Notes"), columnWidth: 0.5, height: 200, margin: 5 },
        ],
      },
    ];
    this.callParent();
  },
});

(() => {
  var page = (itemId, title, icon, groups) => ({
    xtype: "shellPage",
    itemId: itemId,
    title: title,
    iconCls: `fa fa-${icon}`,
    groups: groups,
  });
  var level = (name, config, summary, others) => {
    Ext.define(
      name,
      Ext.apply(config, {
        extend: "PVE.panel.Config",
        initComponent: function () {
          var data = this.pveSelNode.data;
          this.title = Ext.String.htmlEncode(data.text || data.id);
          // A user without Sys.Audit has no Summary of the datacenter and of nodes.
          this.items =
            PVE.shellHidesSummary && summary !== "pveGuestSummary"
              ? []
              : [{ xtype: summary, itemId: "summary", title: gettext("Summary"), iconCls: "fa fa-book" }];
          others.forEach((other) => {
            this.items.push(Ext.clone(other));
          });
          this.callParent();
        },
      }),
    );
  };
  var permissions = page("permissions", "Permissions", "unlock");
  level("PVE.dc.Config", { alias: "widget.PVE.dc.Config", hstateid: "dctab" }, "shellPage", [
    page("notes", "Notes", "sticky-note-o"),
    page("options", "Options", "gear"),
    page("storage", "Storage", "database"),
    permissions,
  ]);
  level("PVE.node.Config", { alias: "widget.PVE.node.Config", hstateid: "nodetab" }, "shellPage", [
    page("services", "System", "cogs"),
    page("network", "Network", "exchange", ["services"]),
    page("updates", "Updates", "refresh"),
  ]);
  level("PVE.qemu.Config", { alias: "widget.PVE.qemu.Config", hstateid: "kvmtab" }, "pveGuestSummary", [
    page("console", "Console", "terminal"),
    page("hardware", "Hardware", "desktop"),
    page("backup", "Backup", "floppy-o"),
    permissions,
  ]);
  level("PVE.lxc.Config", { alias: "widget.pveLXCConfig", hstateid: "lxctab" }, "pveGuestSummary", [
    page("resources", "Resources", "cube"),
    page("backup", "Backup", "floppy-o"),
    permissions,
  ]);
  level("PVE.storage.Browser", { alias: "widget.PVE.storage.Browser", hstateid: "storagetab" }, "shellPage", [
    page("contentBackup", "Backups", "floppy-o"),
    permissions,
  ]);
  level("PVE.pool.Config", { alias: "widget.pvePoolConfig", hstateid: "pooltab" }, "shellPage", [
    page("members", "Members", "th"),
    permissions,
  ]);
})();
