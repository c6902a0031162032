<!DOCTYPE html>
<html>
  <head>
    <meta http-equiv="Content-Type" content="text/html; charset=utf-8">
    <title>[% nodename %] - shell of a Proxmox VE page</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" type="text/css" href="/pve2/ext6/theme-crisp/theme-crisp-all.css">
    <link rel="stylesheet" type="text/css" href="/pve2/ext6/font-awesome/font-awesome-all.css">
    <link rel="stylesheet" type="text/css" href="/pve2/css/shell.css">
    [% theme %]
    <script type="text/javascript" src="/pve2/ext6/ext-all.js"></script>
    <script type="text/javascript">
    Proxmox = { Setup: { auth_cookie_name: 'PVEAuthCookie' }, defaultLang: '[% lang %]', NodeName: '[% nodename %]', UserName: '[% username %]', CSRFPreventionToken: '[% token %]' };
    </script>
    <script type="text/javascript" src="/proxmoxlib.js?ver=1"></script>
    <script type="text/javascript" src="/pve2/js/pvemanagerlib.js?ver=1"></script>
    <script type="text/javascript">
    Ext.onReady(function () { Ext.create('PVE.StdWorkspace'); });
    </script>
  </head>
  <body>
  </body>
</html>
