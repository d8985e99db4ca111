/* SPDX-License-Identifier: Apache-2.0 */
#include "result/volume_path.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/os.h"
#include "base/test_support.h"

#define OPTION "databricks.volume.allowed_local_paths"

/* A folder with `data/deep`, a link `link` to it and a file `file`. */
struct folder {
  char root[64];
  char text[512];
};

static const char *in(struct folder *folder, const char *rest) {
  (void)snprintf(folder->text, sizeof folder->text, "%s%s", folder->root, rest);
  return folder->text;
}

static void folder_init(struct folder *folder) {
  char target[512];
  (void)snprintf(folder->root, sizeof folder->root, "/tmp/lakebeat-volume-XXXXXX");
  assert_non_null(mkdtemp(folder->root));
  assert_int_equal(mkdir(in(folder, "/data"), 0700), 0);
  assert_int_equal(mkdir(in(folder, "/data/deep"), 0700), 0);
  (void)snprintf(target, sizeof target, "%s/data", folder->root);
  assert_int_equal(symlink(target, in(folder, "/link")), 0);
}

static void folder_reset(struct folder *folder) {
  assert_int_equal(unlink(in(folder, "/link")), 0);
  assert_int_equal(rmdir(in(folder, "/data/deep")), 0);
  assert_int_equal(rmdir(in(folder, "/data")), 0);
  assert_int_equal(rmdir(folder->root), 0);
}

static void expect_open(const char *allowed, const char *path, const char *name) {
  struct lb_volume_place place = {.folder = -1};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_OK(lb_volume_place_open(allowed, lb_str_from(path), &place, &err), &err);
  assert_true(place.folder >= 0);
  assert_string_equal(place.name, name);
  lb_os_close(place.folder);
}

static void expect_refused_str(const char *allowed, struct lb_str path,
                               const char *says) {
  struct lb_volume_place place = {.folder = -1};
  struct lb_error err = LB_ERROR_INIT;
  LB_TEST_FAILS(LB_INVALID_ARGUMENT, lb_volume_place_open(allowed, path, &place, &err),
                &err);
  LB_TEST_CONTAINS(err.message, "was not touched");
  LB_TEST_CONTAINS(err.message, says);
  assert_int_equal(place.folder, -1);
}

static void expect_refused(const char *allowed, const char *path, const char *says) {
  expect_refused_str(allowed, lb_str_from(path), says);
}

static void files_in_allowed_folders(void **state) {
  (void)state;
  struct folder folder;
  char allowed[512], path[512];
  folder_init(&folder);
  (void)snprintf(allowed, sizeof allowed, "/nowhere, %s/data/ ,/else", folder.root);
  expect_open(allowed, in(&folder, "/data/a.csv"), "a.csv");
  expect_open(allowed, in(&folder, "/data/deep/b"), "b");
  expect_open("/", in(&folder, "/data/a.csv"), "a.csv");
  expect_open("/", "/a", "a"); /* names of one letter too */
  (void)snprintf(path, sizeof path, "%s", in(&folder, "/data/c"));
  expect_open(folder.root, path, "c");
  folder_reset(&folder);
}

static void files_elsewhere(void **state) {
  (void)state;
  struct folder folder;
  char data[512];
  folder_init(&folder);
  (void)snprintf(data, sizeof data, "%s", in(&folder, "/data"));
  expect_refused(NULL, "/data/x", "no local folder is allowed");
  expect_refused("", "/data/x", OPTION);
  expect_refused(data, in(&folder, "/x"), "in none of the folders of option " OPTION);
  /* Beginning alike is not lying in it. */
  expect_refused(data, in(&folder, "/database"), "in none of the folders");
  expect_refused(data, data, "in none of the folders");
  expect_refused("data", in(&folder, "/data/x"), "in none of the folders");
  expect_refused(data, in(&folder, "/data/none/x"), "cannot be opened");
  expect_refused("/", "/none of this name/x", "cannot be opened");
  folder_reset(&folder);
}

static void tricks_with_paths(void **state) {
  (void)state;
  static const char *const parts[] = {"/a/../b", "/a/./b", "/a//b", "/a/", "/a/..", "/"};
  char longest[LB_VOLUME_PATH_MAX + 1], part[300];
  for (size_t i = 0; i < LB_ARRAY_LEN(parts); i++) {
    expect_refused("/", parts[i], "has a part that is empty, '.', '..'");
  }
  expect_refused("/", "a/b", "give its whole path");
  expect_refused("/", "", "give its whole path");
  expect_refused_str("/", LB_STR("/a\0b"), "holds a NUL");
  memset(longest, 'x', sizeof longest);
  longest[0] = '/';
  expect_refused_str("/", (struct lb_str){longest, LB_VOLUME_PATH_MAX}, "too long");
  memset(part, 'x', sizeof part);
  part[0] = '/';
  expect_refused_str("/", (struct lb_str){part, 257}, "or too long");
}

static void links_are_not_followed(void **state) {
  (void)state;
  struct folder folder;
  char root[64];
  folder_init(&folder);
  (void)snprintf(root, sizeof root, "%s", folder.root);
  expect_refused(root, in(&folder, "/link/x"), "links are not followed");
  /* The last part is for whoever opens the file. */
  expect_open(root, in(&folder, "/link"), "link");
  /* One that is a folder of the option itself is meant, whatever stands before it. */
  char allowed[512];
  (void)snprintf(allowed, sizeof allowed, "%s,%s/link,/", folder.root, folder.root);
  expect_open(allowed, in(&folder, "/link/x"), "x");
  folder_reset(&folder);
}

LB_TEST_MAIN(LB_TEST(files_in_allowed_folders), LB_TEST(files_elsewhere),
             LB_TEST(tricks_with_paths), LB_TEST(links_are_not_followed))
