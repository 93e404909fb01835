# What both sides run, in a mount namespace of their own: tokens, folders, the commands of `script`.
# In: BIN, the folder of the programs; etc/, var/, dev/log where there is a syslog. Out: every
# command after "$ ", its output indented, its complaints after "! ", its exit code after "= "; a
# "\" where the last line has no end.
set -u
mkdir -p etc tokens run var/enforcer var/signer var/unsigned var/signed var/signconf
echo "directories.tokendir = $PWD/tokens" > softhsm2.conf
export SOFTHSM2_CONF=$PWD/softhsm2.conf TZ=UTC LC_ALL=C
softhsm2-util --init-token --free --label SoftHSM --pin 1234 --so-pin 1234 >/dev/null
mkdir -p /etc/opendnssec /var/lib/opendnssec /run/opendnssec
mount --bind etc /etc/opendnssec
mount --bind var /var/lib/opendnssec
mount --bind run /run/opendnssec
if [ -S dev/log ]; then
  mkdir dev/shm
  mount --rbind /dev/shm dev/shm
  for name in null zero full random urandom; do
    touch dev/$name
    mount --bind /dev/$name dev/$name
  done
  mount --rbind dev /dev
fi
"$BIN/ods-enforcer-db-setup" -f >/dev/null 2>&1
while IFS= read -r line; do
  case "$line" in
  'until '*)
    count=0
    until eval "${line#until }" >/dev/null 2>&1; do
      count=$((count + 1))
      [ $count -gt 600 ] && { echo "TIMEOUT $line"; break; }
      sleep 0.1
    done
    continue ;;
  esac
  echo "\$ $line"
  set -- $line
  program=$1
  shift
  timeout 30 "$BIN/$program" "$@" >out 2>err </dev/null
  exit=$?
  sed 's/^/  /' out
  [ -s out ] && [ -n "$(tail -c1 out)" ] && echo '\'
  sed 's/^/! /' err
  [ -s err ] && [ -n "$(tail -c1 err)" ] && echo '\'
  echo "= $exit"
done < script
