// Unix sockets: one that is ours to listen at, and those of who asks.

#pragma once

#include <sys/types.h>

#include <string>

namespace edgeshrink {

// A file descriptor that is closed at the end.
class Descriptor {
  public:
    explicit Descriptor(int file) : file_(file) {}
    ~Descriptor();
    Descriptor(const Descriptor &) = delete;
    Descriptor & operator=(const Descriptor &) = delete;
    int file() const { return file_; }

  private:
    int file_;
};

// A socket file that is made, listened at and taken away again.
class Listening {
  public:
    // Replaces the file of a server that is gone. Failure `socket` where one answers, or something else stands there.
    explicit Listening(const std::string & path);
    // One that somebody else opened, and takes away.
    explicit Listening(int file);

    int file() const { return socket_.file(); }
    // Take the file away, if it is still ours. May be called twice, from any thread.
    void remove() const;

  private:
    Descriptor socket_;
    std::string path_;
    dev_t device_ = 0;
    ino_t number_ = 0;
};

// Failure `socket` where a server answers at `path`.
void refuse_where_one_answers(const std::string & path);

// A socket connected to the server at `path`. Failure `socket` where there is none.
int connect_to(const std::string & path);

// Neither waited for when it is read and written, nor inherited.
void set_free(int file);

}  // namespace edgeshrink
