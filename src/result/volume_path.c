/* SPDX-License-Identifier: Apache-2.0 */
#include "result/volume_path.h"

#include "base/os.h"

#define OPTION "databricks.volume.allowed_local_paths"

static enum lb_status refused(struct lb_str path, const char *why, struct lb_error *err) {
  return lb_error_set(err, LB_INVALID_ARGUMENT, "the local file %.*s was not touched: %s",
                      (int)LB_MIN(path.len, (size_t)512), path.data, why);
}

/* Parts of a path, from the left; false at the end. */
static bool next_part(struct lb_str *rest, struct lb_str *part) {
  if (!rest->data) return false;
  size_t slash = lb_str_find(*rest, LB_STR("/"));
  if (slash == SIZE_MAX) {
    *part = *rest;
    *rest = (struct lb_str){NULL, 0};
  } else {
    *part = (struct lb_str){rest->data, slash};
    *rest = (struct lb_str){rest->data + slash + 1, rest->len - slash - 1};
  }
  return true;
}

static enum lb_status check_path(struct lb_str path, struct lb_error *err) {
  if (path.len == 0 || path.data[0] != '/') {
    return refused(path, "give its whole path, beginning with /", err);
  }
  if (path.len >= LB_VOLUME_PATH_MAX || memchr(path.data, '\0', path.len)) {
    return refused(path, "its path is too long or holds a NUL", err);
  }
  struct lb_str rest = {path.data + 1, path.len - 1}, part;
  while (next_part(&rest, &part)) {
    if (part.len > 0 && part.len < sizeof((struct lb_volume_place *)0)->name &&
        !lb_str_equal(part, LB_STR(".")) && !lb_str_equal(part, LB_STR("..")))
      continue;
    return refused(path, "its path has a part that is empty, '.', '..' or too long", err);
  }
  return LB_OK;
}

/* The part of path below the folder; data NULL when it does not lie there. */
static struct lb_str below(struct lb_str folder, struct lb_str path) {
  while (folder.len > 1 && folder.data[folder.len - 1] == '/') folder.len--;
  bool root = folder.len == 1;
  struct lb_str none = {NULL, 0};
  if (folder.len == 0 || folder.data[0] != '/') return none;
  size_t at = root ? 1 : folder.len + 1;
  if (!lb_str_starts_with(path, folder) || path.len <= at) return none;
  if (path.data[at - 1] != '/') return none;
  return (struct lb_str){path.data + at, path.len - at};
}

/* Which of the allowed folders holds path; of several the one that is nearest to it. */
static bool find_folder(const char *allowed, struct lb_str path, struct lb_str *folder,
                        struct lb_str *rest) {
  struct lb_str list = lb_str_from(allowed ? allowed : "");
  *folder = *rest = (struct lb_str){NULL, 0};
  while (list.data) {
    size_t comma = lb_str_find(list, LB_STR(","));
    size_t len = comma == SIZE_MAX ? list.len : comma;
    struct lb_str one = lb_str_trim((struct lb_str){list.data, len});
    struct lb_str left = below(one, path);
    if (left.data && (!rest->data || left.len < rest->len)) {
      *folder = one;
      *rest = left;
    }
    if (comma == SIZE_MAX) break;
    list = (struct lb_str){list.data + comma + 1, list.len - comma - 1};
  }
  return rest->data != NULL;
}

/* Opens the folders of rest but its last part, which stays in out->name. */
static int descend(int folder, struct lb_str rest, struct lb_volume_place *out,
                   int *code) {
  struct lb_str part;
  while (next_part(&rest, &part)) {
    lb_str_copy(out->name, sizeof out->name, part);
    if (!rest.data) break;
    int next = lb_os_folder_open_at(folder, out->name, code);
    lb_os_close(folder);
    if (next < 0) return -1;
    folder = next;
  }
  return folder;
}

enum lb_status lb_volume_place_open(const char *allowed, struct lb_str path,
                                    struct lb_volume_place *out, struct lb_error *err) {
  struct lb_str folder, rest;
  char text[LB_VOLUME_PATH_MAX];
  int code = 0;
  if (!allowed || !allowed[0]) {
    return refused(path,
                   "no local folder is allowed; name those that PUT and GET may use in "
                   "option " OPTION,
                   err);
  }
  LB_TRY(check_path(path, err));
  if (!find_folder(allowed, path, &folder, &rest) || folder.len >= sizeof text) {
    return refused(path, "it lies in none of the folders of option " OPTION, err);
  }
  lb_str_copy(text, sizeof text, folder);
  int fd = lb_os_folder_open(text, &code);
  if (fd >= 0) fd = descend(fd, rest, out, &code);
  if (fd < 0) {
    char why[192] = "its folder cannot be opened, and links are not followed: ";
    size_t len = strlen(why);
    lb_os_error_text(code, why + len, sizeof why - len);
    return refused(path, why, err);
  }
  out->folder = fd;
  return LB_OK;
}
