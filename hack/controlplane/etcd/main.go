// Command etcd is the etcd server, built from its Go module: its own command module carries replace
// directives and so cannot be built as a dependency.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
