// The invitation stands behind # in its link, which no server is sent: it moves into the form,
// and out of the address.
const invitation = document.querySelector('input[name="invitation"]');
if (invitation && location.hash.length > 1) {
  invitation.value = location.hash.slice(1);
  invitation.type = "hidden"; // else a keeper of passwords takes it for a name
  invitation.closest("label").hidden = true;
  history.replaceState(null, "", location.pathname);
  document.querySelector('input[name="password"]').focus();
}
