package store_test
import ("testing";"fmt";"time";"bytes";"context";"github.com/skerry/skerry/bus";"github.com/skerry/skerry/bus/store")
func TestTmp(t *testing.T){
 _, s := open(t, bus.BucketState)
 v := bytes.Repeat([]byte("x"),1500)
 for _, n := range []int{1,10,100,300,600,1000} {
  ops := make([]store.Op, n)
  for i := range ops { ops[i]=store.Op{Key: bus.Key(fmt.Sprintf("desired.pods.n%d.p%d",n,i)), Value:v} }
  s.Apply(context.Background(), ops...)
  for range 3 {
  t0 := time.Now()
  e,_,err := s.List(context.Background(), fmt.Sprintf("desired.pods.n%d.>",n))
  fmt.Println(n, len(e), err, time.Since(t0)) }
 }
}
