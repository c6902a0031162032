/**
 * A page of the shape of pve-manager's `www/index.html.tpl`, in our own words: the order of its scripts, the Template Toolkit tags and the indent
 * are what a patcher meets; the real file is not copied.
 */
export const pveTemplate = `<!DOCTYPE html>
<html>
  <head>
    <meta http-equiv="Content-Type" content="text/html; charset=utf-8">
    <title>[% nodename %] - Proxmox Virtual Environment</title>
    <link rel="stylesheet" type="text/css" href="/pve2/ext6/theme-crisp/resources/theme-crisp-all.css?ver=7.0.0" />
    [%- IF theme != 'crisp' %]
    <link rel="stylesheet" type="text/css" href="/pwt/themes/theme-[% theme %].css?ver=[% wtversion %]" />
    [%- END -%]
    [% IF langfile %]
    <script type='text/javascript' src='[% langfile %]?ver=[% i18n_js_mtime %]'></script>
    [%- ELSE %]
    <script type='text/javascript'>function gettext(message) { return message; }</script>
    [% END %]
    <script type="text/javascript" src="/pve2/ext6/ext-all.js?ver=7.0.0"></script>
    <script type="text/javascript">
    Proxmox = { Setup: { auth_cookie_name: 'PVEAuthCookie' }, UserName: '[% username %]', CSRFPreventionToken: '[% token %]' };
    </script>
    <script type="text/javascript" src="/proxmoxlib.js?ver=[% wtversion %]"></script>
    <script type="text/javascript" src="/pve2/js/pvemanagerlib.js?ver=[% version %]"></script>
    <script type="text/javascript" src="/pve2/ext6/locale/locale-[% lang %].js?ver=7.0.0"></script>
    <script type="text/javascript">
    if (typeof PVE === 'undefined') PVE = {};
    Ext.onReady(function() { Ext.create('PVE.StdWorkspace'); });
    </script>
  </head>
  <body>
    <!-- Fields for the browser's password manager: “user”, “pass” -->
    <div hidden><form id="the-login-form"></form></div>
  </body>
</html>
`;
