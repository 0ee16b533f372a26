package api
import ("testing";"time";"github.com/skerry/skerry/bus/bustest")
func TestZZ(t *testing.T){
 b:=bustest.Start(t)
 c:=client(t,b)
 for i:=0;i<6;i++{
 before:=c.conn.NC.Stats().Reconnects
 sub,_:=c.conn.NC.SubscribeSync("foo")
 _=sub
 start:=time.Now()
 go func(){ time.Sleep(100*time.Millisecond); b.Kick(t)}()
 _,err:=c.conn.NC.Request("foo",nil,3*time.Second)
 t.Log(i, err, time.Since(start), c.conn.NC.Stats().Reconnects-before, c.conn.NC.Status())
 eventually(t,"rec",func()bool{return c.conn.NC.IsConnected()})
 }
}
