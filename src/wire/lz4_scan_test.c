/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lz4_scan.h"

#include "wire/arrow_test_support.h"

#include <lz4frame.h>

#include "wire/lz4.h"

/* Frames of noise and text, of every form, and two to be skipped. */
static struct bytes body(void) {
  struct bytes out = {NULL, 0};
  enum { RAW = 150000 };
  uint8_t *raw = lb_alloc(LB_MEM_TEST, RAW);
  struct lb_random_state random;
  lb_random_seed(&random, 11);
  struct lb_random rnd = lb_random_from(&random);
  for (size_t i = 0; i < RAW; i++) {
    raw[i] = i < RAW / 2 ? (uint8_t)lb_random_between(&rnd, 0, 255) : (uint8_t)(i / 99);
  }
  for (unsigned i = 0; i < 8; i++) {
    LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
    prefs.frameInfo.blockSizeID = LZ4F_max64KB;
    prefs.frameInfo.blockMode = i % 3 == 0 ? LZ4F_blockIndependent : LZ4F_blockLinked;
    prefs.frameInfo.contentChecksumFlag = (i & 1) != 0;
    prefs.frameInfo.blockChecksumFlag = (i & 2) != 0;
    size_t len = i == 5 ? 0 : RAW - i;
    prefs.frameInfo.contentSize = (i & 4) != 0 ? len : 0;
    size_t cap = LZ4F_compressFrameBound(len, &prefs);
    uint8_t *packed = lb_alloc(LB_MEM_TEST, cap);
    size_t used = LZ4F_compressFrame(packed, cap, raw, len, &prefs);
    assert_false(LZ4F_isError(used));
    bytes_add(&out, packed, used);
    lb_free(packed);
    if (i == 3) bytes_add(&out, "\x53\x2a\x4d\x18\x03\0\0\0abc", 11);
    if (i == 6) bytes_add(&out, "\x50\x2a\x4d\x18\0\0\0\0", 8);
  }
  lb_free(raw);
  return out;
}

/* Every place where a piece may end, by the whole body at once, one byte at a time. */
static size_t places(const struct bytes *data, size_t *out, size_t cap) {
  struct lb_lz4_scan scan;
  struct lb_error err;
  size_t count = 0, ahead_of = 0;
  lb_lz4_scan_init(&scan);
  for (size_t i = 0; i < data->len; i++) {
    size_t cut = 9, ahead = 9;
    LB_TEST_OK(lb_lz4_scan_feed(&scan, data->data + i, 1, &cut, &ahead, &err), &err);
    assert_true(cut <= 1);
    if (cut == 1) {
      assert_true(count < cap);
      /* What was said to belong together has ended here; of an end mark or an empty
       * frame to be skipped it is known with the last byte only. */
      size_t together = i + 1 - (count > 0 ? out[count - 1] : 0);
      if (ahead_of != 0) assert_int_equal(ahead_of, together);
      if (ahead_of == 0) assert_in_range(together, 4, 8);
      assert_int_equal(ahead, 0);
      out[count++] = i + 1;
    }
    ahead_of = ahead;
  }
  assert_true(lb_lz4_scan_complete(&scan));
  return count;
}

static void test_places_do_not_depend_on_the_split(void **state) {
  (void)state;
  struct bytes data = body();
  size_t at[64];
  size_t count = places(&data, at, LB_ARRAY_LEN(at));
  assert_true(count > 20);
  assert_int_equal(at[count - 1], data.len);
  static const size_t steps[] = {2, 3, 7, 1000, 65536, 70001, 200000, SIZE_MAX};
  for (size_t k = 0; k < LB_ARRAY_LEN(steps); k++) {
    struct lb_lz4_scan scan;
    struct lb_error err;
    lb_lz4_scan_init(&scan);
    for (size_t pos = 0; pos < data.len;) {
      size_t cut, ahead, len = LB_MIN(steps[k], data.len - pos);
      size_t expected = 0, last = 0, next = 0;
      LB_TEST_OK(lb_lz4_scan_feed(&scan, data.data + pos, len, &cut, &ahead, &err), &err);
      for (size_t i = 0; i < count; i++) {
        if (at[i] > pos && at[i] <= pos + len) expected = at[i] - pos;
        if (at[i] <= pos + len) last = at[i];
        if (at[i] > pos + len && next == 0) next = at[i];
      }
      assert_int_equal(cut, expected);
      /* Known once four bytes of a size are here; or not known. */
      if (ahead != 0) assert_int_equal(last + ahead, next);
      if (pos + len - last >= 24) assert_true(ahead != 0);
      pos += len;
      assert_true(pos == data.len || !lb_lz4_scan_complete(&scan) || last == pos);
    }
    assert_true(lb_lz4_scan_complete(&scan));
  }
  bytes_free(&data);
}

/* Pieces between any two of those places can be decompressed one after the other. */
static void test_pieces_are_whole_blocks(void **state) {
  (void)state;
  struct bytes data = body();
  size_t at[64];
  size_t count = places(&data, at, LB_ARRAY_LEN(at));
  LZ4F_dctx *context;
  uint8_t *dst = lb_alloc(LB_MEM_TEST, 2u << 20);
  assert_false(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
  size_t from = 0, out = 0;
  for (size_t i = 0; i < count; i++) {
    size_t in = at[i] - from, room = (2u << 20) - out;
    size_t hint = LZ4F_decompress(context, dst + out, &room, data.data + from, &in, NULL);
    assert_false(LZ4F_isError(hint));
    assert_int_equal(in, at[i] - from);
    /* Nothing of a block is held back: a size, a mark or a magic number is wanted. */
    assert_true(hint <= 8);
    out += room;
    from = at[i];
  }
  assert_true(out > 1000000);
  LZ4F_freeDecompressionContext(context);
  lb_free(dst);
  bytes_free(&data);
}

static enum lb_status scan_all(const uint8_t *data, size_t len, size_t step, bool *whole,
                               struct lb_error *err) {
  struct lb_lz4_scan scan;
  size_t cut, ahead;
  lb_lz4_scan_init(&scan);
  *whole = false;
  for (size_t pos = 0; pos < len; pos += step) {
    size_t part = LB_MIN(step, len - pos);
    LB_TRY(lb_lz4_scan_feed(&scan, data + pos, part, &cut, &ahead, err));
  }
  *whole = lb_lz4_scan_complete(&scan);
  return LB_OK;
}

/* The verdict of lb_lz4_measure on the same bytes. */
static void check_verdict(const uint8_t *data, size_t len) {
  struct lb_error err, other;
  size_t bound;
  bool whole;
  struct lb_str src = {(const char *)data, len};
  enum lb_status measured = lb_lz4_measure(src, 1 << 20, &bound, &err);
  for (size_t step = 1; step <= 16; step += 5) {
    enum lb_status status = scan_all(data, len, step, &whole, &other);
    if (measured == LB_OK) {
      LB_TEST_OK(status, &other);
      assert_true(whole);
    } else if (status == LB_OK) {
      assert_false(whole); /* it is cut off */
    } else {
      LB_TEST_FAILS(measured, status, &other);
      assert_string_equal(err.message, other.message);
    }
  }
}

static void test_verdicts(void **state) {
  (void)state;
  struct bytes data = {NULL, 0};
  uint8_t packed[500];
  LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
  prefs.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  prefs.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
  size_t used = LZ4F_compressFrame(packed, sizeof(packed), "hello", 5, &prefs);
  bytes_add(&data, packed, used);
  bytes_add(&data, "\x53\x2a\x4d\x18\x03\0\0\0abc", 11);
  bytes_add(&data, packed, used);
  for (size_t len = 0; len <= data.len; len++) check_verdict(data.data, len);
  for (size_t i = 0; i < data.len; i++) {
    for (int bit = 0; bit < 8; bit++) {
      data.data[i] ^= (uint8_t)(1u << bit);
      check_verdict(data.data, data.len);
      data.data[i] ^= (uint8_t)(1u << bit);
    }
  }
  bytes_free(&data);
}

static void test_errors_say_which(void **state) {
  (void)state;
  struct lb_error err;
  bool whole;
  static const uint8_t large[] = "\x04\x22\x4d\x18\x60\x40\0\x01\x00\x01\x00";
  LB_TEST_FAILS(LB_PROTOCOL, scan_all(large, 11, 3, &whole, &err), &err);
  LB_TEST_CONTAINS(err.message, "block at offset 7 has 65537 bytes");
  static const uint8_t other[] = "ARROW1\0\0";
  LB_TEST_FAILS(LB_PROTOCOL, scan_all(other, 8, 8, &whole, &err), &err);
  LB_TEST_CONTAINS(err.message, "no LZ4 frame begins at offset 0");
  static const uint8_t dictionary[] = "\x04\x22\x4d\x18\x61\x40";
  LB_TEST_FAILS(LB_NOT_IMPLEMENTED, scan_all(dictionary, 6, 1, &whole, &err), &err);
}

LB_TEST_MAIN(LB_TEST(test_places_do_not_depend_on_the_split),
             LB_TEST(test_pieces_are_whole_blocks), LB_TEST(test_verdicts),
             LB_TEST(test_errors_say_which))
