/* SPDX-License-Identifier: Apache-2.0 */
#include "adbc/stream.h"

#include <errno.h>

#include "base/alloc.h"
#include "nanoarrow/nanoarrow.h"

struct lb_adbc_stream {
  const struct lb_adbc_source *source;
  void *self;
  struct lb_io *io;
  AdbcStatusCode code; /* of the latest call; ADBC_STATUS_OK: it did not fail */
  /* ... and why. Filled anew by each call that fails: consumers are told not to release
   * it, and some do. */
  struct AdbcError error;
};

static struct lb_adbc_stream *stream_of(struct ArrowArrayStream *stream) {
  return stream->private_data;
}

static void forget_error(struct lb_adbc_stream *stream) {
  if (stream->error.release != NULL) stream->error.release(&stream->error);
  stream->code = ADBC_STATUS_OK;
}

static int fail(struct lb_adbc_stream *stream, enum lb_status status,
                const struct lb_error *err) {
  stream->code = lb_adbc_finish(status, err, &stream->error);
  return lb_adbc_errno(stream->code);
}

static enum lb_status check(const struct lb_adbc_stream *stream, struct lb_error *err) {
  if (!lb_io_inherited(stream->io)) return LB_OK;
  return lb_error_set(err, LB_INVALID_STATE,
                      "this result was made before fork(); open a new database in the "
                      "child");
}

static int get_schema(struct ArrowArrayStream *self, struct ArrowSchema *out) {
  struct lb_adbc_stream *stream = stream_of(self);
  struct lb_error err = LB_ERROR_INIT;
  forget_error(stream);
  enum lb_status status = check(stream, &err);
  if (status != LB_OK) return fail(stream, status, &err);
  struct ArrowSchema copy = {0};
  if (ArrowSchemaDeepCopy(stream->source->schema(stream->self), &copy) != NANOARROW_OK) {
    return fail(stream, lb_error_oom(&err, "a copy of the schema"), &err);
  }
  *out = copy;
  return 0;
}

/* A source that has failed goes on failing by itself. */
static int get_next(struct ArrowArrayStream *self, struct ArrowArray *out) {
  struct lb_adbc_stream *stream = stream_of(self);
  struct lb_error err = LB_ERROR_INIT;
  forget_error(stream);
  enum lb_status status = check(stream, &err);
  struct ArrowArray array = {0};
  if (status == LB_OK) status = stream->source->next(stream->self, &array, &err);
  if (status != LB_OK) return fail(stream, status, &err);
  *out = array;
  return 0;
}

static const char *get_last_error(struct ArrowArrayStream *self) {
  return stream_of(self)->error.message;
}

static void stream_release(struct ArrowArrayStream *self) {
  struct lb_adbc_stream *stream = stream_of(self);
  self->release = NULL;
  self->private_data = NULL;
  if (!lb_io_inherited(stream->io)) {
    stream->source->release(stream->self);
    lb_io_release(stream->io);
  }
  lb_adbc_stream_destroy(stream);
}

enum lb_status lb_adbc_stream_create(struct lb_adbc_stream **out, struct lb_error *err) {
  struct lb_adbc_stream *stream = lb_alloc_zero(LB_MEM_MISC, sizeof(*stream));
  if (stream == NULL) return lb_error_oom(err, "a stream");
  stream->error = ADBC_ERROR_INIT;
  *out = stream;
  return LB_OK;
}

void lb_adbc_stream_destroy(struct lb_adbc_stream *stream) {
  if (stream == NULL) return;
  forget_error(stream);
  lb_free(stream);
}

void lb_adbc_stream_publish_source(struct lb_adbc_stream *stream_own,
                                   const struct lb_adbc_source *source, void *self_own,
                                   struct lb_io *io, struct ArrowArrayStream *out) {
  lb_io_retain(io);
  stream_own->io = io;
  stream_own->source = source;
  stream_own->self = self_own;
  *out = (struct ArrowArrayStream){.get_schema = get_schema,
                                   .get_next = get_next,
                                   .get_last_error = get_last_error,
                                   .release = stream_release,
                                   .private_data = stream_own};
}

static const struct ArrowSchema *result_schema(void *self) {
  return &lb_result_schema(self)->arrow;
}

static enum lb_status result_next(void *self, struct ArrowArray *out,
                                  struct lb_error *err) {
  return lb_result_next(self, out, err);
}

static void result_release(void *self) {
  lb_result_close(self, LB_HB_RELEASED);
  lb_result_release(self);
}

void lb_adbc_stream_publish(struct lb_adbc_stream *stream_own, struct lb_result *res_own,
                            struct lb_io *io, struct ArrowArrayStream *out) {
  static const struct lb_adbc_source source = {result_schema, result_next,
                                               result_release};
  lb_adbc_stream_publish_source(stream_own, &source, res_own, io, out);
}

static const struct ArrowSchema *series_schema(void *self) {
  return &lb_series_schema(self)->arrow;
}

static enum lb_status series_next(void *self, struct ArrowArray *out,
                                  struct lb_error *err) {
  return lb_series_next(self, out, err);
}

static void series_release(void *self) {
  lb_series_finish(self);
  lb_series_release(self);
}

void lb_adbc_stream_publish_series(struct lb_adbc_stream *stream_own,
                                   struct lb_series *series_own, struct lb_io *io,
                                   struct ArrowArrayStream *out) {
  static const struct lb_adbc_source source = {series_schema, series_next,
                                               series_release};
  lb_adbc_stream_publish_source(stream_own, &source, series_own, io, out);
}

const struct AdbcError *lb_adbc_stream_error(struct ArrowArrayStream *stream,
                                             AdbcStatusCode *status) {
  if (stream == NULL || stream->release != stream_release) return NULL;
  struct lb_adbc_stream *own = stream_of(stream);
  if (own->code == ADBC_STATUS_OK) return NULL;
  if (status != NULL) *status = own->code;
  return &own->error;
}
