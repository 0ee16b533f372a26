package decode_test
import ("testing";"math/rand";"time";"fmt";"encoding/json";"reflect";"strings"
"sigs.k8s.io/yaml";"github.com/skerry/skerry/schemas/decode")
func TestZZ(t *testing.T){
 var seeds []string
 for n,d:=range goodFiles(t){ if strings.HasSuffix(n,".yaml"){ for _,p:=range strings.Split(string(d),"\n---\n"){seeds=append(seeds,p)}}}
 seeds=append(seeds,
 "a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n","a: |\n  x\n   y\n\n  z\nb: >\n  a\n  b\n\n  c\n   d\nc: |-\n  q\n\nd: |+\n  q\n\ne: |2\n    x\n",
 "a:\n- b\n-\n  c: d\n- - e\n  - f\n- {g: h, i: [j, k]}\n","? a\n: b\n? [c]\n","\"a b\": 'c ''d'\nx: \"a\\n\\x41\\\n   b\"\n","a: b\n  c\n\n  d\n# x\ne: f # g\n",
 "a:\n  - b: 1\n    c: 2\n\n  - b: 3\n", "a: !!str 1\nb: !!int '3'\nc: !!float 1\n","a: {b: 'c', \"d\":e, f: {g: [1,\n 2,\n 3]}}\n", "a:    \n  b\nc:\n\n\nd:   # x\n  - e\n","x: - y\n","a: [a, b: c]\n","a: {b}\n","a: '\n  b\n  c\n\n  d'\n")
 r:=rand.New(rand.NewSource(time.Now().UnixNano()))
 start:=time.Now(); n:=0; bad:=map[string]int{}
 chars:="[]{}:-#&*!|>'\"%\n\n\t   ,?a0"
 for time.Since(start)<40*time.Second {
  s:=[]byte(seeds[r.Intn(len(seeds))])
  for k:=r.Intn(3);k>=0;k--{ if len(s)<2 {break}
   i:=r.Intn(len(s)); j:=i+r.Intn(min(len(s)-i,20)+1)
   switch r.Intn(4){
   case 0: s=append(s[:i:i],s[j:]...)
   case 1: s=append(s[:i:i],append(append([]byte{},s[i:j]...),s[i:]...)...)
   case 2: s[i]=chars[r.Intn(len(chars))]
   case 3: s=append(s[:i:i],append([]byte{chars[r.Intn(len(chars))]},s[i:]...)...)
   }
  }
  n++
  want,werr:=yaml.YAMLToJSONStrict(s)
  got,gerr:=decode.TreeJSON(string(s))
  kind:=""
  switch { case werr==nil&&gerr!=nil: kind="we refuse: "+gerr.Error()
  case werr!=nil&&gerr==nil: if strings.Contains(werr.Error(),"already set"){continue}; kind="we accept: "+werr.Error()
  case werr==nil: var a,b any; json.Unmarshal(want,&a); json.Unmarshal(got,&b); if !reflect.DeepEqual(a,b){kind="differs"}
  }
  if kind!=""{ key:=kind; if i:=strings.Index(key,"line ");i>0{key=key[:i]+key[min(len(key),i+8):]}
   bad[key]++; if bad[key]==1 && len(bad)<60 { x:=string(s); if len(x)<400{fmt.Printf("=== %s\n%s\n--- want %s\n--- got  %s\n",kind,x,want,got)} else {fmt.Println("===",kind,"(long)")} } }
 }
 fmt.Println(n); for k,v:=range bad{ if v>20 {fmt.Println(v,k)}}
}
